//! One request, prebuilt, with places for keys.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::replies::Replies;

/// In the words of a call: where a key goes.
pub(crate) const KEY: &str = "user:000000000000"; // as redis-benchmark writes one
const DIGITS: usize = 12;
/// Longer than any server here is silent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The bytes of one request, and how its answer is told from the next.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    bytes: Vec<u8>,
    /// Where the digits of each key begin.
    keys: Vec<usize>,
    replies: Replies,
    checks: u32,
    /// Those of a Redis command.
    words: Vec<String>,
}

/// The key with this number, as it is written.
pub(crate) fn key(number: u32) -> String {
    format!("user:{number:0DIGITS$}")
}

// === impl Call ===

impl Call {
    /// A Redis command, its words parted by spaces, that is answered by so many lines.
    pub(crate) fn redis(words: &str, lines: usize) -> Self {
        let words: Vec<_> = words.split(' ').collect();
        let mut bytes = format!("*{}\r\n", words.len());
        for word in &words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        let words = words.into_iter().map(str::to_owned).collect();
        Self { words, ..Self::new(bytes, Replies::Lines(lines)) }
    }

    /// `METHOD path` with this body.
    pub(crate) fn http(method: &str, path: &str, body: &str) -> Self {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: rl\r\nContent-Type: application/json\r\n");
        Self::new(format!("{head}Content-Length: {length}\r\n\r\n{body}"), Replies::Http)
    }

    fn new(text: String, replies: Replies) -> Self {
        let keys = text.match_indices(KEY).map(|(at, _)| at + KEY.len() - DIGITS).collect();
        Self { bytes: text.into_bytes(), keys, replies, checks: 1, words: Vec::new() }
    }

    /// Counts as so many checks.
    pub(crate) fn of_checks(self, checks: u32) -> Self {
        Self { checks, ..self }
    }

    pub(crate) fn checks(&self) -> u32 {
        self.checks
    }

    /// The words of a Redis command, with `key` for every key.
    pub(crate) fn words(&self, key: &str) -> impl Iterator<Item = String> {
        self.words.iter().map(move |word| word.replace(KEY, key))
    }

    pub(crate) fn replies(&self) -> Replies {
        self.replies
    }

    /// How many keys it names.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The same request so many times over, to be sent at once.
    pub(crate) fn times(&self, count: usize) -> Self {
        let length = self.bytes.len();
        let keys = (0..count).flat_map(|i| self.keys.iter().map(move |at| at + i * length));
        Self { bytes: self.bytes.repeat(count), keys: keys.collect(), ..self.clone() }
    }

    /// Puts in the keys that `next` gives, and returns what to send.
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> u32) -> &[u8] {
        for at in &self.keys {
            let mut number = next();
            for digit in self.bytes[*at..at + DIGITS].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        &self.bytes
    }

    /// Sends it once, and counts the lines that come until all is silent.
    pub(crate) fn lines_of_answer(&self, port: u16) -> usize {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a time limit");
        stream.write_all(&self.bytes).expect("to send");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..length]);
        }
        let request = String::from_utf8_lossy(&self.bytes);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            !answer.is_empty() && answer[0] != b'-',
            "{request:.400}\nwas answered {text:.400}"
        );
        answer.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Sends it once, with the key 0, to a server on 127.0.0.1, and fails unless the answer holds this text.
    #[track_caller]
    pub(crate) fn must_answer(&self, port: u16, expected: &str) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.write_all(&self.bytes).expect("to send");
        let (mut counter, mut buffer, mut answer) = (self.replies.counter(), [0; 4096], Vec::new());
        while counter.count() == 0 {
            let length = stream.read(&mut buffer).expect("an answer");
            assert!(length > 0, "the server closed the connection");
            answer.extend_from_slice(&buffer[..length]);
            counter.push(&buffer[..length]);
        }
        let answer = String::from_utf8_lossy(&answer);
        let request = String::from_utf8_lossy(&self.bytes);
        assert!(
            answer.contains(expected),
            "{request:.400}\nwas answered\n{answer:.400}\nnot {expected:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, KEY};

    #[test]
    fn a_command_as_it_is_on_the_wire() {
        let mut call = Call::redis(&format!("MGET {KEY} {KEY}"), 3).times(2);
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
