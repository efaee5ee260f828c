//! What Redis answers, taken for nothing but what it is.

use redis::Value;
use rl_bucket::Decision;

use super::{fault::Fault, frame::Reply};
use crate::store::{AllOrNothing, NotABucket};

/// Five integers.
pub(super) fn decision(reply: Reply) -> Result<Decision, Fault> {
    five(&integers(reply)?)
}

/// How many tokens were granted, then five integers.
pub(super) fn taken(reply: Reply) -> Result<(u64, Decision), Fault> {
    match integers(reply)?.as_slice() {
        [granted, rest @ ..] => Ok((unsigned(*granted)?, five(rest)?)),
        [] => Err(nonsense()),
    }
}

/// Five integers for each of `len` checks: -1 and four zeros where the key holds something else.
pub(super) fn each(reply: Reply, len: usize) -> Result<Vec<Result<Decision, NotABucket>>, Fault> {
    let integers = integers(reply)?;
    let each = fives(&integers, len)?.iter().map(|item| match item {
        [-1, 0, 0, 0, 0] => Ok(Err(NotABucket)),
        item => five(item).map(Ok),
    });
    each.collect()
}

/// Whether all `len` checks were allowed, which was denied first (-1: none), then five integers for each.
pub(super) fn all(reply: Reply, len: usize) -> Result<AllOrNothing, Fault> {
    let integers = integers(reply)?;
    let [allowed, index, rest @ ..] = integers.as_slice() else {
        return Err(nonsense());
    };
    let decisions =
        fives(rest, len)?.iter().map(|item| five(item)).collect::<Result<Vec<_>, _>>()?;
    let denied = match (allowed, index) {
        (1, -1) => None,
        (0, index) => Some(usize::try_from(*index).map_err(|_| nonsense())?),
        _ => return Err(nonsense()),
    };
    if denied != decisions.iter().position(|decision| !decision.is_allowed()) {
        return Err(nonsense());
    }
    Ok(AllOrNothing { denied, decisions })
}

/// A number of things.
pub(super) fn count(reply: Reply) -> Result<u64, Fault> {
    match reply {
        Reply::Other(Value::Int(count)) => unsigned(count),
        _ => Err(nonsense()),
    }
}

/// A text.
pub(super) fn text(reply: Reply) -> Result<String, Fault> {
    match reply {
        Reply::Other(Value::BulkString(bytes)) => String::from_utf8(bytes).map_err(|_| nonsense()),
        Reply::Other(Value::SimpleString(text)) => Ok(text),
        _ => Err(nonsense()),
    }
}

/// Not an answer to what was asked: whoever is behind this connection, it is not to be trusted.
pub(super) fn nonsense() -> Fault {
    Fault::Broken("its answer makes no sense".to_owned())
}

fn integers(reply: Reply) -> Result<Vec<i64>, Fault> {
    match reply {
        Reply::Integers(integers) => Ok(integers),
        Reply::Other(_) => Err(nonsense()),
    }
}

/// `len` times five integers.
fn fives(integers: &[i64], len: usize) -> Result<&[[i64; 5]], Fault> {
    match integers.as_chunks() {
        (fives, []) if fives.len() == len => Ok(fives),
        _ => Err(nonsense()),
    }
}

fn five(integers: &[i64]) -> Result<Decision, Fault> {
    let wire = integers.try_into().map_err(|_| nonsense())?;
    Decision::from_wire(wire).ok_or_else(nonsense)
}

fn unsigned(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| nonsense())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use redis::Value;
    use rl_bucket::{Decision, Outcome};

    use super::{Fault, Reply, all, count, decision, each, nonsense, taken, text};
    use crate::store::{AllOrNothing, NotABucket};

    const ALLOWED: Decision =
        Decision { outcome: Outcome::Allowed, limit: 9, remaining: 8, reset_after_ms: 7 };
    const NEVER: Decision = Decision { outcome: Outcome::Never, ..ALLOWED };

    /// A reply from its integers, `|` between.
    fn reply(words: &str) -> Reply {
        let words = words.split('|').filter(|word| !word.is_empty());
        Reply::Integers(words.map(|word| word.parse().unwrap()).collect())
    }

    /// The reading of each reply; `None` where it makes no sense.
    #[track_caller]
    fn table<T: Debug + PartialEq>(
        read: impl Fn(Reply) -> Result<T, Fault>,
        rows: impl IntoIterator<Item = (&'static str, Option<T>)>,
    ) {
        for (words, expected) in rows {
            assert_eq!(read(reply(words)), expected.ok_or_else(nonsense), "{words}");
        }
        for other in [Value::Int(1), Value::Nil, Value::Okay, Value::BulkString(b"1".to_vec())] {
            assert_eq!(read(Reply::Other(other.clone())), Err(nonsense()), "{other:?}");
        }
    }

    #[test]
    fn decisions() {
        table(
            decision,
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
    fn grants() {
        table(
            taken,
            [
                ("3|1|9|8|0|7", Some((3, ALLOWED))),
                ("0|0|9|8|-1|7", Some((0, NEVER))),
                ("-1|1|9|8|0|7", None),
                ("1|9|8|0|7", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn independent_checks() {
        table(
            |reply| each(reply, 2),
            [
                ("1|9|8|0|7|0|9|8|-1|7", Some(vec![Ok(ALLOWED), Ok(NEVER)])),
                ("-1|0|0|0|0|1|9|8|0|7", Some(vec![Err(NotABucket), Ok(ALLOWED)])),
                ("1|9|8|0|7", None),
                ("1|9|8|0|7|0|9|8|-1|7|1|9|8|0|7", None),
                ("1|9|8|0|7|0|9|8|-1", None),
                ("1|9|8|0|7|-1|0|0|0|7", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn joint_checks() {
        let answer = |denied, decisions| Some(AllOrNothing { denied, decisions });
        table(
            |reply| all(reply, 2),
            [
                ("1|-1|1|9|8|0|7|1|9|8|0|7", answer(None, vec![ALLOWED, ALLOWED])),
                ("0|1|1|9|8|0|7|0|9|8|-1|7", answer(Some(1), vec![ALLOWED, NEVER])),
                ("0|0|0|9|8|-1|7|0|9|8|-1|7", answer(Some(0), vec![NEVER, NEVER])),
                ("0|1|0|9|8|-1|7|0|9|8|-1|7", None),
                ("0|-1|1|9|8|0|7|0|9|8|-1|7", None),
                ("0|2|1|9|8|0|7|1|9|8|0|7", None),
                ("1|-1|1|9|8|0|7|0|9|8|-1|7", None),
                ("1|1|1|9|8|0|7|0|9|8|-1|7", None),
                ("2|-1|1|9|8|0|7|1|9|8|0|7", None),
                ("1|-1|1|9|8|0|7", None),
                ("1|-1", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn counts_and_texts() {
        let other = Reply::Other;
        assert_eq!(count(other(Value::Int(3))), Ok(3));
        for bad in [other(Value::Int(-1)), other(Value::Nil), reply("1")] {
            assert_eq!(count(bad), Err(nonsense()));
        }
        assert_eq!(text(other(Value::BulkString(b"c0de".to_vec()))), Ok("c0de".to_owned()));
        for bad in [other(Value::Int(1)), other(Value::BulkString(vec![0xff])), reply("1")] {
            assert_eq!(text(bad), Err(nonsense()));
        }
    }
}
