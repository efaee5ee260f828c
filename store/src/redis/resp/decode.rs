//! Replies, cut out of a stream of bytes.
//!
//! Decisions are flat arrays of integers, thousands a second of them, so those are read by hand as
//! they arrive. Every other reply is rare, and is read by the `redis` crate once it is whole.

use redis::{RedisError, Value, parse_redis_value};

use super::reply::{Reply, invalid};
use crate::redis::error::CommandError;

/// Cuts replies out of the bytes that arrive.
#[derive(Debug, Default)]
pub(in crate::redis) struct ReplyDecoder {
    /// Bytes that have arrived; those before `start` are decoded.
    buffer: Vec<u8>,
    /// Where the next part of the reply begins that has not been looked at.
    at: usize,
    /// Integers still missing from an array that has begun.
    missing: usize,
    integers: Vec<i64>,
    /// Elements still missing, level by level, of a reply of another shape that has begun.
    levels: Vec<i64>,
    /// Where the reply that contains `at` begins.
    start: usize,
}

/// The next part of the stream.
#[derive(Debug, PartialEq)]
pub(in crate::redis) enum Decoded {
    /// A whole reply.
    Reply(Reply),
    /// A whole reply that is an error of the server.
    Error(CommandError),
    /// No whole reply yet.
    Incomplete,
}

/// Most bytes of a reply, but for that to `CLUSTER SLOTS`. No other is nearly as long.
pub(in crate::redis) const MAX_REPLY: usize = 1 << 20;
/// Most bytes of a line: an error of the server, or a number.
const MAX_LINE: usize = 1 << 16;
/// Most digits of a number: more begin with zeros, perhaps without an end.
const MAX_DIGITS: usize = 32;
/// Most levels of nested arrays: no reply is as deep.
const MAX_DEPTH: usize = 4;

// === impl ReplyDecoder ===

impl ReplyDecoder {
    /// The buffer to append arriving bytes to.
    pub(in crate::redis) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            (self.at, self.start) = (self.at - self.start, 0);
        }
        &mut self.buffer
    }

    /// Decodes the next reply, of at most `limit` bytes. Fails on a longer one, and on bytes that no
    /// server sends as a reply; the rest of the stream is then lost.
    pub(in crate::redis) fn next(&mut self, limit: usize) -> Result<Decoded, CommandError> {
        let decoded = match self.levels.is_empty() {
            true => self.integers(limit)?,
            false => self.other(limit)?,
        };
        // Of a reply that is not whole, every byte that has arrived counts. So the outcome does not
        // depend on how the bytes arrived.
        let (end, start) = match decoded {
            Decoded::Incomplete => (self.buffer.len(), self.start),
            _ => (self.at, std::mem::replace(&mut self.start, self.at)),
        };
        if end - start > limit {
            return Err(too_long(limit));
        }
        Ok(decoded)
    }

    /// Decodes an array of integers, or finds that the reply has another shape.
    fn integers(&mut self, limit: usize) -> Result<Decoded, CommandError> {
        if self.missing == 0 {
            match self.buffer[self.at..] {
                [] | [b'*'] => return Ok(Decoded::Incomplete),
                [b'*', b'1'..=b'9', ..] => {}
                _ => return self.begin_other(limit),
            }
            let Some((count, at)) = number(&self.buffer, self.at + 1)? else {
                return Ok(Decoded::Incomplete);
            };
            match self.buffer.get(at) {
                Some(b':') => {}
                Some(_) => return self.begin_other(limit),
                None => return Ok(Decoded::Incomplete),
            }
            let count = usize::try_from(count).map_err(|_| invalid())?;
            if count > limit {
                return Err(too_long(limit));
            }
            self.missing = count;
            self.integers = Vec::with_capacity(count);
            self.at = at;
        }
        while self.missing > 0 {
            match self.buffer.get(self.at) {
                Some(b':') => {}
                Some(_) => {
                    (self.missing, self.at) = (0, self.start);
                    return self.begin_other(limit);
                }
                None => return Ok(Decoded::Incomplete),
            }
            let Some((integer, at)) = number(&self.buffer, self.at + 1)? else {
                return Ok(Decoded::Incomplete);
            };
            self.integers.push(integer);
            self.at = at;
            self.missing -= 1;
        }
        Ok(Decoded::Reply(Reply::Integers(std::mem::take(&mut self.integers))))
    }

    fn begin_other(&mut self, limit: usize) -> Result<Decoded, CommandError> {
        self.integers = Vec::new();
        self.levels.push(1);
        self.other(limit)
    }

    /// Decodes a reply of another shape. What has been looked at is not looked at again.
    fn other(&mut self, limit: usize) -> Result<Decoded, CommandError> {
        while let Some(missing) = self.levels.last_mut() {
            if *missing <= 0 {
                self.levels.pop();
                continue;
            }
            let Some((end, count)) = element(&self.buffer, self.at)? else {
                return Ok(Decoded::Incomplete);
            };
            // An array has more bytes than elements.
            let elements = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            if (end - self.start).max(elements) > limit {
                return Err(too_long(limit));
            }
            if end > self.buffer.len() {
                return Ok(Decoded::Incomplete);
            }
            self.at = end;
            *missing -= 1;
            if let Some(count) = count {
                if self.levels.len() > MAX_DEPTH {
                    return Err(invalid());
                }
                self.levels.push(count);
            }
        }
        let value = parse_redis_value(&self.buffer[self.start..self.at]).map_err(|_| invalid())?;
        Ok(match value {
            Value::ServerError(error) => Decoded::Error(RedisError::from(error).into()),
            value => Decoded::Reply(Reply::Other(value)),
        })
    }
}

fn too_long(limit: usize) -> CommandError {
    CommandError::Broken(format!("reply of more than {limit} bytes"))
}

/// The number that begins at `at`, and where the next line begins; `None` if the line is not whole.
fn number(buffer: &[u8], at: usize) -> Result<Option<(i64, usize)>, CommandError> {
    let (negative, mut at) = match buffer.get(at) {
        Some(b'-') => (true, at + 1),
        _ => (false, at),
    };
    let first = at;
    let mut value = 0_i64;
    while let Some(digit @ b'0'..=b'9') = buffer.get(at) {
        let digit = i64::from(digit & 0x0f);
        // Built on the side of its sign, so that the least integer is read too.
        value = value
            .checked_mul(10)
            .and_then(|ten| if negative { ten.checked_sub(digit) } else { ten.checked_add(digit) })
            .ok_or_else(invalid)?;
        at += 1;
    }
    match buffer.get(at..) {
        _ if at - first > MAX_DIGITS => Err(invalid()),
        Some([b'\r', b'\n', ..]) if at > first => Ok(Some((value, at + 2))),
        Some([] | [b'\r']) => Ok(None),
        _ => Err(invalid()),
    }
}

/// Where the element that begins at `at` ends, be it past the buffer, and of an array how many
/// elements follow; `None` if its first line is not whole.
fn element(buffer: &[u8], at: usize) -> Result<Option<(usize, Option<i64>)>, CommandError> {
    let Some(kind) = buffer.get(at) else { return Ok(None) };
    match kind {
        b'+' | b'-' => {
            let line = &buffer[at..];
            let line = &line[..line.len().min(MAX_LINE)];
            match line.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => Ok(Some((at + end + 2, None))),
                None if line.len() == MAX_LINE => Err(too_long(MAX_LINE)),
                None => Ok(None),
            }
        }
        b':' => Ok(number(buffer, at + 1)?.map(|(_, end)| (end, None))),
        b'$' => {
            let Some((length, start)) = number(buffer, at + 1)? else { return Ok(None) };
            let end = match usize::try_from(length) {
                Ok(length) => start.checked_add(length).and_then(|end| end.checked_add(2)),
                Err(_) if length == -1 => Some(start),
                Err(_) => None,
            };
            Ok(Some((end.ok_or_else(invalid)?, None)))
        }
        b'*' => Ok(number(buffer, at + 1)?.map(|(count, end)| (end, Some(count)))),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Decoded, MAX_REPLY, Reply, ReplyDecoder, too_long};
    use crate::redis::error::CommandError;

    /// All replies in `bytes` when they arrive in pieces of `size`.
    fn read(bytes: &[u8], size: usize) -> Result<Vec<Result<Reply, CommandError>>, CommandError> {
        let mut decoder = ReplyDecoder::default();
        let mut replies = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.buffer().extend_from_slice(piece);
            loop {
                match decoder.next(MAX_REPLY)? {
                    Decoded::Reply(reply) => replies.push(Ok(reply)),
                    Decoded::Error(error) => replies.push(Err(error)),
                    Decoded::Incomplete => break,
                }
            }
        }
        Ok(replies)
    }

    #[test]
    fn replies_are_whole_however_they_arrive() {
        let text = |text: &str| Value::BulkString(text.into());
        let stream = [
            ("*2\r\n:1\r\n:-9223372036854775808\r\n", Ok(Reply::Integers(vec![1, i64::MIN]))),
            (":7\r\n", Ok(Reply::Other(Value::Int(7)))),
            ("+OK\r\n", Ok(Reply::Other(Value::Okay))),
            ("$4\r\n\r\n\r\n\r\n", Ok(Reply::Other(text("\r\n\r\n")))),
            ("$-1\r\n", Ok(Reply::Other(Value::Nil))),
            ("*0\r\n", Ok(Reply::Other(Value::Array(vec![])))),
            (
                "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n:2\r\n",
                Ok(Reply::Other(Value::Array(vec![
                    Value::Int(1),
                    text("x"),
                    Value::Array(vec![Value::Int(2)]),
                ]))),
            ),
            ("-OOM no\r\n", Err(CommandError::Refused("OOM no".to_owned()))),
            ("*5\r\n:1\r\n:9\r\n:8\r\n:0\r\n:7\r\n", Ok(Reply::Integers(vec![1, 9, 8, 0, 7]))),
        ];
        let bytes: String = stream.iter().map(|(bytes, _)| *bytes).collect();
        let expected: Vec<_> = stream.into_iter().map(|(_, reply)| reply).collect();
        for size in [1, 2, 3, 7, 16, 1000] {
            assert_eq!(read(bytes.as_bytes(), size).unwrap(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_invalid_reply_ends_the_stream() {
        for bytes in [
            "HTTP/1.1 400 Bad Request\r\n",
            "*x\r\n",
            "*1\r\n:\r\n",
            "*1\r\n:1x\r\n",
            "*1\r\n:9223372036854775808\r\n",
            "*99999999999\r\n:1\r\n",
            "$99999999999\r\n",
            "$-2\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            "\0",
        ] {
            for size in [1, 1000] {
                assert!(
                    matches!(read(bytes.as_bytes(), size), Err(CommandError::Broken(_))),
                    "{bytes:?}"
                );
            }
        }
        for endless in ["+", "*1\r\n*0", ":0", "*1\r\n:0"] {
            let last = endless.len() - 1;
            let bytes = endless[..last].to_owned() + &endless[last..].repeat(MAX_REPLY);
            assert!(read(bytes.as_bytes(), 1 << 16).is_err(), "{endless}");
        }
    }

    /// A reply of exactly `length` bytes: a text, an array of texts, and an array of integers.
    fn replies_of(length: usize) -> [Vec<u8>; 3] {
        let text = |length: usize| {
            let body = length - "$1000000\r\n\r\n".len();
            format!("${body:07}\r\n{}\r\n", "x".repeat(body)).into_bytes()
        };
        let half = (length - 4) / 2;
        let texts = [b"*2\r\n".to_vec(), text(half), text(length - 4 - half)].concat();
        let count = (length - "*100000\r\n".len()) / 4 - 1;
        let mut integers = format!("*{count:06}\r\n").replace("*0", "*").into_bytes();
        integers.extend_from_slice(&b":1\r\n".repeat(count - 1));
        let rest = length - integers.len() - 3;
        integers.extend_from_slice(format!(":{:0rest$}\r\n", 1).as_bytes());
        [text(length), texts, integers]
    }

    #[test]
    fn a_reply_is_whole_up_to_the_limit_and_an_error_beyond_however_it_arrives() {
        for length in MAX_REPLY - 2..=MAX_REPLY + 3 {
            for reply in replies_of(length) {
                assert_eq!(reply.len(), length);
                let behind_another = [b"+OK\r\n", reply.as_slice(), b"+OK\r\n"].concat();
                for size in [997, 1 << 12, (1 << 16) + 1, MAX_REPLY, MAX_REPLY + 1, 2 * MAX_REPLY] {
                    let outcome = read(&behind_another, size);
                    let kind = &reply[..2];
                    if length <= MAX_REPLY {
                        assert_eq!(outcome.map(|it| it.len()), Ok(3), "{kind:?} {length} {size}");
                    } else {
                        assert_eq!(outcome, Err(too_long(MAX_REPLY)), "{kind:?} {length} {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn decoded_bytes_are_released() {
        let mut decoder = ReplyDecoder::default();
        for _ in 0..1000 {
            decoder.buffer().extend_from_slice(b"*1\r\n:1\r\n");
            while decoder.next(MAX_REPLY).unwrap() != Decoded::Incomplete {}
            assert!(decoder.buffer().is_empty());
            assert!(decoder.buffer().capacity() < 100);
        }
    }
}
