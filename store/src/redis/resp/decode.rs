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
    /// Bytes that have arrived; those before `at` are decoded.
    buffer: Vec<u8>,
    at: usize,
    /// Integers still missing from an array that has begun; `at` is behind the last one decoded.
    missing: usize,
    integers: Vec<i64>,
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

/// Most bytes of a reply, and most integers of an array: no reply is nearly as long.
const MAX_REPLY: usize = 1 << 20;
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

    /// Decodes the next reply. Fails on bytes that no server sends as a reply; the rest of the
    /// stream is then lost.
    pub(in crate::redis) fn next(&mut self) -> Result<Decoded, CommandError> {
        if self.missing == 0 {
            self.start = self.at;
            match self.buffer[self.at..] {
                [] => return Ok(Decoded::Incomplete),
                [b'*', b'1'..=b'9', ..] => {}
                _ => return self.other(),
            }
            let Some((count, at)) = number(&self.buffer, self.at + 1)? else {
                return Ok(Decoded::Incomplete);
            };
            match self.buffer.get(at) {
                Some(b':') => {}
                Some(_) => return self.other(),
                None => return Ok(Decoded::Incomplete),
            }
            let count = usize::try_from(count).map_err(|_| invalid())?;
            if count > MAX_REPLY {
                return Err(invalid());
            }
            self.integers = Vec::with_capacity(count);
            (self.missing, self.at) = (count, at);
        }
        while self.missing > 0 {
            match self.buffer.get(self.at) {
                Some(b':') => {}
                Some(_) => {
                    (self.missing, self.at) = (0, self.start);
                    return self.other();
                }
                None => return self.incomplete(),
            }
            let Some((integer, at)) = number(&self.buffer, self.at + 1)? else {
                return self.incomplete();
            };
            self.integers.push(integer);
            self.at = at;
            self.missing -= 1;
        }
        self.start = self.at;
        Ok(Decoded::Reply(Reply::Integers(std::mem::take(&mut self.integers))))
    }

    /// Decodes a reply of another shape.
    fn other(&mut self) -> Result<Decoded, CommandError> {
        let Some(end) = skip(&self.buffer, self.at, MAX_DEPTH)? else { return self.incomplete() };
        let value = parse_redis_value(&self.buffer[self.at..end]).map_err(|_| invalid())?;
        (self.at, self.start) = (end, end);
        Ok(match value {
            Value::ServerError(error) => Decoded::Error(RedisError::from(error).into()),
            value => Decoded::Reply(Reply::Other(value)),
        })
    }

    fn incomplete(&self) -> Result<Decoded, CommandError> {
        match self.buffer.len() - self.start > MAX_REPLY {
            true => Err(invalid()),
            false => Ok(Decoded::Incomplete),
        }
    }
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
        Some([b'\r', b'\n', ..]) if at > first => Ok(Some((value, at + 2))),
        Some([] | [b'\r']) => Ok(None),
        _ => Err(invalid()),
    }
}

/// The end of the reply that begins at `at`; `None` if it is not whole.
fn skip(buffer: &[u8], at: usize, depth: usize) -> Result<Option<usize>, CommandError> {
    let Some(kind) = buffer.get(at) else { return Ok(None) };
    match kind {
        b'+' | b'-' => {
            let end = buffer[at..].windows(2).position(|pair| pair == b"\r\n");
            Ok(end.map(|end| at + end + 2))
        }
        b':' => Ok(number(buffer, at + 1)?.map(|(_, end)| end)),
        b'$' => {
            let Some((length, start)) = number(buffer, at + 1)? else { return Ok(None) };
            let end = match usize::try_from(length) {
                Ok(length) if length <= MAX_REPLY => start + length + 2,
                Err(_) if length == -1 => start,
                _ => return Err(invalid()),
            };
            Ok((buffer.len() >= end).then_some(end))
        }
        b'*' if depth > 0 => {
            let Some((count, mut at)) = number(buffer, at + 1)? else { return Ok(None) };
            for _ in 0..count {
                match skip(buffer, at, depth - 1)? {
                    Some(end) => at = end,
                    None => return Ok(None),
                }
            }
            Ok(Some(at))
        }
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Decoded, MAX_REPLY, Reply, ReplyDecoder};
    use crate::redis::error::CommandError;

    /// All replies in `bytes` when they arrive in pieces of `size`.
    fn read(bytes: &[u8], size: usize) -> Result<Vec<Result<Reply, CommandError>>, CommandError> {
        let mut decoder = ReplyDecoder::default();
        let mut replies = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.buffer().extend_from_slice(piece);
            loop {
                match decoder.next()? {
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
        let endless = "+".repeat(MAX_REPLY + 2);
        assert!(read(endless.as_bytes(), 1 << 16).is_err());
    }

    #[test]
    fn decoded_bytes_are_released() {
        let mut decoder = ReplyDecoder::default();
        for _ in 0..1000 {
            decoder.buffer().extend_from_slice(b"*1\r\n:1\r\n");
            while decoder.next().unwrap() != Decoded::Incomplete {}
            assert!(decoder.buffer().is_empty());
            assert!(decoder.buffer().capacity() < 100);
        }
    }
}
