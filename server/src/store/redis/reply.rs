//! What Redis answers, taken for nothing but what it is.

use redis::{RedisError, Value};
use rl_bucket::Decision;

use super::fault::Fault;
use crate::store::{AllOrNothing, NotABucket};

/// Five integers.
pub(super) fn decision(reply: Value) -> Result<Decision, Fault> {
    five(&array(reply)?)
}

/// How many tokens were granted, then five integers.
pub(super) fn taken(reply: Value) -> Result<(u64, Decision), Fault> {
    match array(reply)?.as_slice() {
        [Value::Int(granted), rest @ ..] => Ok((unsigned(*granted)?, five(rest)?)),
        _ => Err(nonsense()),
    }
}

/// Five integers for each of `len` checks: -1 and four zeros where the key holds something else.
pub(super) fn each(reply: Value, len: usize) -> Result<Vec<Result<Decision, NotABucket>>, Fault> {
    let items = array(reply)?;
    let each = fives(&items, len)?.iter().map(|item| match item {
        [Value::Int(-1), Value::Int(0), Value::Int(0), Value::Int(0), Value::Int(0)] => {
            Ok(Err(NotABucket))
        }
        item => five(item).map(Ok),
    });
    each.collect()
}

/// Whether all `len` checks were allowed, which was denied first (-1: none), then five integers for each.
pub(super) fn all(reply: Value, len: usize) -> Result<AllOrNothing, Fault> {
    let items = array(reply)?;
    let [Value::Int(allowed), Value::Int(index), rest @ ..] = items.as_slice() else {
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
pub(super) fn count(reply: Value) -> Result<u64, Fault> {
    match reply {
        Value::Int(count) => unsigned(count),
        _ => Err(nonsense()),
    }
}

/// A text, out of a pipeline: there an error is a reply like any other.
pub(super) fn text(reply: Value) -> Result<String, Fault> {
    match reply {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| nonsense()),
        Value::SimpleString(text) => Ok(text),
        Value::ServerError(error) => Err(RedisError::from(error).into()),
        _ => Err(nonsense()),
    }
}

/// Not an answer to what was asked: whoever is behind this connection, it is not to be trusted.
pub(super) fn nonsense() -> Fault {
    Fault::Broken("its answer makes no sense".to_owned())
}

fn array(reply: Value) -> Result<Vec<Value>, Fault> {
    match reply {
        Value::Array(items) => Ok(items),
        _ => Err(nonsense()),
    }
}

/// `len` times five values.
fn fives(items: &[Value], len: usize) -> Result<&[[Value; 5]], Fault> {
    match items.as_chunks() {
        (fives, []) if fives.len() == len => Ok(fives),
        _ => Err(nonsense()),
    }
}

fn five(items: &[Value]) -> Result<Decision, Fault> {
    let &[Value::Int(a), Value::Int(b), Value::Int(c), Value::Int(d), Value::Int(e)] = items else {
        return Err(nonsense());
    };
    Decision::from_wire([a, b, c, d, e]).ok_or_else(nonsense)
}

fn unsigned(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| nonsense())
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use redis::{Value, parse_redis_value};
    use rl_bucket::{Decision, Outcome};

    use super::{Fault, all, count, decision, each, nonsense, taken, text};
    use crate::store::{AllOrNothing, NotABucket};

    const ALLOWED: Decision =
        Decision { outcome: Outcome::Allowed, limit: 9, remaining: 8, reset_after_ms: 7 };
    const NEVER: Decision = Decision { outcome: Outcome::Never, ..ALLOWED };

    /// A reply from its words, `|` between: integers, `nil`, or `"` and a text.
    fn reply(words: &str) -> Value {
        let words = words.split('|').filter(|word| !word.is_empty()).map(|word| {
            match (word, word.strip_prefix('"')) {
                ("nil", _) => Value::Nil,
                (_, Some(text)) => Value::BulkString(text.into()),
                _ => Value::Int(word.parse().unwrap()),
            }
        });
        Value::Array(words.collect())
    }

    /// The reading of each reply; `None` where it makes no sense.
    #[track_caller]
    fn table<T: Debug + PartialEq>(
        read: impl Fn(Value) -> Result<T, Fault>,
        rows: impl IntoIterator<Item = (&'static str, Option<T>)>,
    ) {
        for (words, expected) in rows {
            assert_eq!(read(reply(words)), expected.ok_or_else(nonsense), "{words}");
        }
        for other in [Value::Int(1), Value::Nil, Value::Okay, Value::BulkString(b"1".to_vec())] {
            assert_eq!(read(other.clone()), Err(nonsense()), "{other:?}");
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
                ("1|9|8|0|\"7", None),
                ("1|9|8|0|nil", None),
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
                ("1|9|8|0|7|nil|nil|nil|nil|nil", None),
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
        assert_eq!(count(Value::Int(3)), Ok(3));
        for bad in [Value::Int(-1), Value::Nil, reply("1")] {
            assert_eq!(count(bad), Err(nonsense()));
        }
        assert_eq!(text(Value::BulkString(b"c0de".to_vec())), Ok("c0de".to_owned()));
        let error = parse_redis_value(b"-OOM command not allowed\r\n").unwrap();
        assert_eq!(text(error), Err(Fault::Refused("OOM command not allowed".to_owned())));
        for bad in [Value::Int(1), Value::Nil, Value::BulkString(vec![0xff]), reply("1")] {
            assert_eq!(text(bad), Err(nonsense()));
        }
    }
}
