//! Replies, and the strict reading of their parts: a reply of another shape than the command's is
//! an error, since then nothing on that connection can be trusted.

use redis::Value;
use rl_bucket::Decision;

use crate::redis::error::CommandError;

/// One whole reply.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::redis) enum Reply {
    /// An array of integers.
    Integers(Vec<i64>),
    /// Any other reply but an error.
    Other(Value),
}

// === impl Reply ===

impl Reply {
    /// Reads five integers.
    pub(in crate::redis) fn decision(self) -> Result<Decision, CommandError> {
        decision(&self.integers()?)
    }

    /// Reads an array of integers.
    pub(in crate::redis) fn integers(self) -> Result<Vec<i64>, CommandError> {
        match self {
            Self::Integers(integers) => Ok(integers),
            Self::Other(_) => Err(invalid()),
        }
    }

    /// Reads a count.
    pub(in crate::redis) fn count(self) -> Result<u64, CommandError> {
        match self {
            Self::Other(Value::Int(count)) => unsigned(count),
            _ => Err(invalid()),
        }
    }

    /// Reads a text.
    pub(in crate::redis) fn text(self) -> Result<String, CommandError> {
        match self {
            Self::Other(Value::BulkString(bytes)) => {
                String::from_utf8(bytes).map_err(|_| invalid())
            }
            Self::Other(Value::SimpleString(text)) => Ok(text),
            _ => Err(invalid()),
        }
    }
}

/// The error for a reply that does not answer the command.
pub(in crate::redis) fn invalid() -> CommandError {
    CommandError::Broken("invalid reply".to_owned())
}

/// Reads five integers as a decision.
pub(in crate::redis) fn decision(integers: &[i64]) -> Result<Decision, CommandError> {
    let wire = integers.try_into().map_err(|_| invalid())?;
    Decision::from_wire(wire).ok_or_else(invalid)
}

/// Splits integers into groups of five, of which there must be `len`.
pub(in crate::redis) fn fives(integers: &[i64], len: usize) -> Result<&[[i64; 5]], CommandError> {
    match integers.as_chunks() {
        (fives, []) if fives.len() == len => Ok(fives),
        _ => Err(invalid()),
    }
}

/// Reads a number that must not be negative.
pub(in crate::redis) fn unsigned(number: i64) -> Result<u64, CommandError> {
    u64::try_from(number).map_err(|_| invalid())
}

#[cfg(test)]
pub(in crate::redis) mod tests {
    use std::fmt::Debug;

    use redis::Value;
    use rl_bucket::{Decision, Outcome};

    use super::{Reply, invalid};
    use crate::redis::error::CommandError;

    pub(in crate::redis) const ALLOWED: Decision =
        Decision { outcome: Outcome::Allowed, limit: 9, remaining: 8, reset_after_ms: 7 };
    pub(in crate::redis) const NEVER: Decision = Decision { outcome: Outcome::Never, ..ALLOWED };

    /// A reply of the integers between `|`.
    fn reply(integers: &str) -> Reply {
        let integers = integers.split('|').filter(|text| !text.is_empty());
        Reply::Integers(integers.map(|text| text.parse().unwrap()).collect())
    }

    /// Checks the reading of each reply; `None` stands for an invalid one.
    #[track_caller]
    pub(in crate::redis) fn table<T: Debug + PartialEq>(
        read: impl Fn(Reply) -> Result<T, CommandError>,
        rows: impl IntoIterator<Item = (&'static str, Option<T>)>,
    ) {
        for (integers, expected) in rows {
            assert_eq!(read(reply(integers)), expected.ok_or_else(invalid), "{integers}");
        }
        for other in [Value::Int(1), Value::Nil, Value::Okay, Value::BulkString(b"1".to_vec())] {
            assert_eq!(read(Reply::Other(other.clone())), Err(invalid()), "{other:?}");
        }
    }

    #[test]
    fn decisions() {
        table(
            Reply::decision,
            [
                ("1|9|8|0|7", Some(ALLOWED)),
                ("0|9|8|-1|7", Some(NEVER)),
                ("1|9|8|-1|7", None),
                ("1|9|8|0", None),
                ("1|9|8|0|7|0", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn counts_and_texts() {
        let other = Reply::Other;
        assert_eq!(other(Value::Int(3)).count(), Ok(3));
        for bad in [other(Value::Int(-1)), other(Value::Nil), reply("1")] {
            assert_eq!(bad.count(), Err(invalid()));
        }
        assert_eq!(other(Value::BulkString(b"c0de".to_vec())).text(), Ok("c0de".to_owned()));
        for bad in [other(Value::Int(1)), other(Value::BulkString(vec![0xff])), reply("1")] {
            assert_eq!(bad.text(), Err(invalid()));
        }
    }
}
