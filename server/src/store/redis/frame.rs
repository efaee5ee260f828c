//! What Redis says, cut out of a stream of bytes.
//!
//! Answers are flat arrays of integers, thousands a second of them, so those are read by hand as they
//! come in; all else is rare and read by the `redis` crate once it is whole.

use redis::{Value, parse_redis_value};

use super::{fault::Fault, reply};

/// One whole reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// An array of integers.
    Integers(Vec<i64>),
    /// Anything else; no error.
    Other(Value),
}

/// Cuts replies out of what arrives.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What arrived and was not used up yet, from `at` on.
    buffer: Vec<u8>,
    at: usize,
    /// An array of integers that is not whole yet: how many are still to come, and those that are here.
    /// `at` is behind the last of them.
    missing: usize,
    integers: Vec<i64>,
    /// Where the reply began that `at` is in.
    began: usize,
}

/// No reply is nearly as long.
const LONGEST: usize = 1 << 20;
/// Nor nested as deep.
const DEEPEST: usize = 4;

// === impl Frames ===

impl Frames {
    /// Where to put what arrives next.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.began > 0 {
            self.buffer.drain(..self.began);
            (self.at, self.began) = (self.at - self.began, 0);
        }
        &mut self.buffer
    }

    /// The next reply, if it is whole: an error of the server is one. The outer error is for what cannot
    /// be a server's reply, after which nothing can be made of this stream.
    pub(super) fn next(&mut self) -> Result<Option<Result<Reply, Fault>>, Fault> {
        if self.missing == 0 {
            self.began = self.at;
            match self.buffer[self.at..] {
                [] => return Ok(None),
                [b'*', b'1'..=b'9', ..] => {}
                _ => return self.other(),
            }
            let Some((count, at)) = number(&self.buffer, self.at + 1)? else { return Ok(None) };
            match self.buffer.get(at) {
                Some(b':') => {}
                Some(_) => return self.other(),
                None => return Ok(None),
            }
            let count = usize::try_from(count).map_err(|_| reply::nonsense())?;
            if count > LONGEST {
                return Err(reply::nonsense());
            }
            self.integers = Vec::with_capacity(count);
            (self.missing, self.at) = (count, at);
        }
        while self.missing > 0 {
            match self.buffer.get(self.at) {
                Some(b':') => {}
                Some(_) => {
                    (self.missing, self.at) = (0, self.began);
                    return self.other();
                }
                None => return self.wait(),
            }
            let Some((integer, at)) = number(&self.buffer, self.at + 1)? else {
                return self.wait();
            };
            self.integers.push(integer);
            self.at = at;
            self.missing -= 1;
        }
        self.began = self.at;
        Ok(Some(Ok(Reply::Integers(std::mem::take(&mut self.integers)))))
    }

    /// A reply of another shape.
    fn other(&mut self) -> Result<Option<Result<Reply, Fault>>, Fault> {
        let Some(end) = skip(&self.buffer, self.at, DEEPEST)? else { return self.wait() };
        let value = parse_redis_value(&self.buffer[self.at..end]).map_err(|_| reply::nonsense())?;
        (self.at, self.began) = (end, end);
        Ok(Some(match value {
            Value::ServerError(error) => Err(redis::RedisError::from(error).into()),
            value => Ok(Reply::Other(value)),
        }))
    }

    fn wait(&self) -> Result<Option<Result<Reply, Fault>>, Fault> {
        if self.buffer.len() - self.began > LONGEST { Err(reply::nonsense()) } else { Ok(None) }
    }
}

/// The number that begins at `at`, and where the next line does; `None` if the line is not whole.
fn number(buffer: &[u8], at: usize) -> Result<Option<(i64, usize)>, Fault> {
    let (negative, mut at) = match buffer.get(at) {
        Some(b'-') => (true, at + 1),
        _ => (false, at),
    };
    let first = at;
    let mut value = 0_i64;
    while let Some(digit @ b'0'..=b'9') = buffer.get(at) {
        let digit = i64::from(digit & 0x0f);
        // Towards the sign's own side, so that the least integer is read too.
        value = value
            .checked_mul(10)
            .and_then(|ten| if negative { ten.checked_sub(digit) } else { ten.checked_add(digit) })
            .ok_or_else(reply::nonsense)?;
        at += 1;
    }
    match buffer.get(at..) {
        Some([b'\r', b'\n', ..]) if at > first => Ok(Some((value, at + 2))),
        Some([] | [b'\r']) => Ok(None),
        _ => Err(reply::nonsense()),
    }
}

/// Where the reply that begins at `at` ends; `None` if it is not whole.
fn skip(buffer: &[u8], at: usize, depth: usize) -> Result<Option<usize>, Fault> {
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
                Ok(length) if length <= LONGEST => start + length + 2,
                Err(_) if length == -1 => start,
                _ => return Err(reply::nonsense()),
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
        _ => Err(reply::nonsense()),
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Fault, Frames, LONGEST, Reply};

    /// All that is read of `bytes` when they arrive in pieces of `size`.
    fn read(bytes: &[u8], size: usize) -> Result<Vec<Result<Reply, Fault>>, Fault> {
        let mut frames = Frames::default();
        let mut replies = Vec::new();
        for piece in bytes.chunks(size) {
            frames.buffer().extend_from_slice(piece);
            while let Some(reply) = frames.next()? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    #[test]
    fn whole_replies_however_they_arrive() {
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
            ("-OOM no\r\n", Err(Fault::Refused("OOM no".to_owned()))),
            ("*5\r\n:1\r\n:9\r\n:8\r\n:0\r\n:7\r\n", Ok(Reply::Integers(vec![1, 9, 8, 0, 7]))),
        ];
        let bytes: String = stream.iter().map(|(bytes, _)| *bytes).collect();
        let expected: Vec<_> = stream.into_iter().map(|(_, reply)| reply).collect();
        for size in [1, 2, 3, 7, 16, 1000] {
            assert_eq!(read(bytes.as_bytes(), size).unwrap(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_reply_ends_the_stream() {
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
                assert!(matches!(read(bytes.as_bytes(), size), Err(Fault::Broken(_))), "{bytes:?}");
            }
        }
        let endless = "+".repeat(LONGEST + 2);
        assert!(read(endless.as_bytes(), 1 << 16).is_err());
    }

    #[test]
    fn what_was_read_is_let_go() {
        let mut frames = Frames::default();
        for _ in 0..1000 {
            frames.buffer().extend_from_slice(b"*1\r\n:1\r\n");
            while frames.next().unwrap().is_some() {}
            assert!(frames.buffer().is_empty());
            assert!(frames.buffer().capacity() < 100);
        }
    }
}
