//! What is said to Redis, as it goes over the wire: an array of strings (RESP2).

use std::{
    fmt::{Display, Write},
    io::Write as _,
};

/// Commands, one after the other.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<u8>);

/// Room for a number's text: 20 digits and more.
const NUMBER: usize = 64;

// === impl Words ===

impl Words {
    /// The head of a command of `count` words, its name among them.
    pub(super) fn command(count: usize) -> Self {
        let mut words = Self(Vec::with_capacity(32 * count));
        words.begin(count);
        words
    }

    /// Begins another command.
    pub(super) fn begin(&mut self, count: usize) {
        self.head(b'*', count);
    }

    /// The next word.
    pub(super) fn word(&mut self, word: impl AsRef<[u8]>) {
        let word = word.as_ref();
        self.head(b'$', word.len());
        self.0.extend_from_slice(word);
        self.0.extend_from_slice(b"\r\n");
    }

    /// The next word, as it displays: at most 64 bytes.
    pub(super) fn number(&mut self, number: impl Display) {
        let mut text = [0; NUMBER];
        let mut rest = &mut text[..];
        let _ = write!(rest, "{number}"); // every number of ours has room
        let len = NUMBER - rest.len();
        self.word(&text[..len]);
    }

    /// Where the next word will begin.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Says again what was said between these places.
    pub(super) fn repeat(&mut self, from: usize, to: usize) {
        self.0.extend_from_within(from..to);
    }

    /// Appends what others say.
    pub(super) fn append(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// What goes over the wire.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn head(&mut self, kind: u8, count: usize) {
        self.0.push(kind);
        if count < 10 {
            self.0.push(b'0' + count as u8);
        } else {
            let mut text = String::with_capacity(8);
            let _ = write!(text, "{count}");
            self.0.extend_from_slice(text.as_bytes());
        }
        self.0.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn on_the_wire() {
        let mut words = Words::command(3);
        words.word("SET");
        words.word(b"\0\r\n");
        words.number(0.25);
        let from = words.len();
        words.begin(1);
        words.word("a".repeat(12));
        words.repeat(from, words.len());
        let again = "*1\r\n$12\r\naaaaaaaaaaaa\r\n".repeat(2);
        let expected = format!("*3\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n$4\r\n0.25\r\n{again}");
        assert_eq!(words.bytes(), expected.as_bytes());
    }
}
