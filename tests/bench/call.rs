//! A prebuilt request with placeholders for keys.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::reply_counter::ReplyFormat;

/// The placeholder for a key in the text of a call.
pub(crate) const KEY: &str = "user:000000000000"; // the format of redis-benchmark
const DIGITS: usize = 12;
/// A read timeout that is longer than any pause of a server here.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The bytes of one request, and the format of its reply.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    bytes: Vec<u8>,
    /// The offset of the digits of each key.
    keys: Vec<usize>,
    reply_format: ReplyFormat,
    checks: u32,
    /// The words of a Redis command; empty for an HTTP request.
    words: Vec<String>,
}

/// The key with this number.
pub(crate) fn key(number: u32) -> String {
    format!("user:{number:0DIGITS$}")
}

// === impl Call ===

impl Call {
    /// A Redis command, with its words separated by spaces, whose reply has this many lines.
    pub(crate) fn redis(words: &str, lines: usize) -> Self {
        let words: Vec<_> = words.split(' ').collect();
        let mut bytes = format!("*{}\r\n", words.len());
        for word in &words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        let words = words.into_iter().map(str::to_owned).collect();
        Self { words, ..Self::new(bytes, ReplyFormat::Lines(lines)) }
    }

    /// An HTTP request with a JSON body.
    pub(crate) fn http(method: &str, path: &str, body: &str) -> Self {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: rl\r\nContent-Type: application/json\r\n");
        Self::new(format!("{head}Content-Length: {length}\r\n\r\n{body}"), ReplyFormat::Http)
    }

    fn new(text: String, reply_format: ReplyFormat) -> Self {
        let keys = text.match_indices(KEY).map(|(at, _)| at + KEY.len() - DIGITS).collect();
        Self { bytes: text.into_bytes(), keys, reply_format, checks: 1, words: Vec::new() }
    }

    /// Makes the call count as this many checks.
    pub(crate) fn of_checks(self, checks: u32) -> Self {
        Self { checks, ..self }
    }

    pub(crate) fn checks(&self) -> u32 {
        self.checks
    }

    /// The words of a Redis command, with `key` in place of every key.
    pub(crate) fn words(&self, key: &str) -> impl Iterator<Item = String> {
        self.words.iter().map(move |word| word.replace(KEY, key))
    }

    pub(crate) fn reply_format(&self) -> ReplyFormat {
        self.reply_format
    }

    /// The number of keys in the request.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The request repeated `count` times, to be sent at once.
    pub(crate) fn repeat(&self, count: usize) -> Self {
        let length = self.bytes.len();
        let keys = (0..count).flat_map(|i| self.keys.iter().map(move |at| at + i * length));
        Self { bytes: self.bytes.repeat(count), keys: keys.collect(), ..self.clone() }
    }

    /// Fills in the keys that `next_key` returns, and returns the bytes to send.
    pub(crate) fn fill(&mut self, mut next_key: impl FnMut() -> u32) -> &[u8] {
        for at in &self.keys {
            let mut number = next_key();
            for digit in self.bytes[*at..at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        &self.bytes
    }

    /// Sends the request once and counts the lines of the reply, until nothing comes for half a
    /// second.
    pub(crate) fn count_reply_lines(&self, port: u16) -> usize {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
        stream.write_all(&self.bytes).expect("to send");
        let (mut reply, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            reply.extend_from_slice(&buffer[..length]);
        }
        let request = String::from_utf8_lossy(&self.bytes);
        let text = String::from_utf8_lossy(&reply);
        assert!(
            !reply.is_empty() && reply[0] != b'-',
            "{request:.400}\nwas answered with\n{text:.400}"
        );
        reply.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Sends the request once, with key 0, to a server on 127.0.0.1, and asserts that the reply
    /// contains this text.
    #[track_caller]
    pub(crate) fn assert_reply(&self, port: u16, expected: &str) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a time limit");
        stream.write_all(&self.bytes).expect("to send");
        let mut counter = self.reply_format.counter();
        let (mut buffer, mut reply) = ([0; 4096], Vec::new());
        while counter.count() == 0 {
            let length = stream.read(&mut buffer).expect("a reply");
            assert!(length > 0, "the server closed the connection");
            reply.extend_from_slice(&buffer[..length]);
            counter.push(&buffer[..length]);
        }
        let reply = String::from_utf8_lossy(&reply);
        let request = String::from_utf8_lossy(&self.bytes);
        assert!(
            reply.contains(expected),
            "{request:.400}\nwas answered with\n{reply:.400}\nnot {expected:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, KEY};

    #[test]
    fn a_repeated_command_is_encoded_with_its_keys() {
        let mut call = Call::redis(&format!("MGET {KEY} {KEY}"), 3).repeat(2);
        let mut number = 41;
        let bytes = call.fill(|| {
            number += 1;
            number
        });
        let one =
            |a, b| format!("*3\r\n$4\r\nMGET\r\n$17\r\nuser:{a:012}\r\n$17\r\nuser:{b:012}\r\n");
        let expected = one(42, 43) + &one(44, 45);
        assert_eq!(String::from_utf8_lossy(bytes), expected);
    }
}
