//! Commands as they are sent: arrays of bulk strings (RESP2).

use std::{fmt::Display, io::Write};

/// Encoded commands, one after the other.
#[derive(Debug, Default)]
pub(in crate::redis) struct CommandBuf(Vec<u8>);

/// Room for the text of a number: 20 digits and more.
const MAX_NUMBER: usize = 64;

// === impl CommandBuf ===

impl CommandBuf {
    /// Begins a command of `count` arguments, its name included.
    pub(in crate::redis) fn command(count: usize) -> Self {
        let mut buf = Self(Vec::with_capacity(32 * count));
        buf.begin(count);
        buf
    }

    /// A whole command of these arguments.
    pub(in crate::redis) fn of<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        let args: Vec<_> = args.into_iter().collect();
        let mut buf = Self::command(args.len());
        args.into_iter().for_each(|arg| buf.arg(arg));
        buf
    }

    /// Begins another command of `count` arguments, its name included.
    pub(in crate::redis) fn begin(&mut self, count: usize) {
        self.head(b'*', count);
    }

    /// Appends an argument.
    pub(in crate::redis) fn arg(&mut self, arg: impl AsRef<[u8]>) {
        let arg = arg.as_ref();
        self.head(b'$', arg.len());
        self.0.extend_from_slice(arg);
        self.0.extend_from_slice(b"\r\n");
    }

    /// Appends an argument as it displays: at most 64 bytes.
    pub(in crate::redis) fn number(&mut self, number: impl Display) {
        let mut text = [0; MAX_NUMBER];
        let mut rest = &mut text[..];
        let _ = write!(rest, "{number}"); // every number used here fits
        let len = MAX_NUMBER - rest.len();
        self.arg(&text[..len]);
    }

    /// The length in bytes: where the next argument will begin.
    pub(in crate::redis) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends a copy of the bytes between two places.
    pub(in crate::redis) fn repeat(&mut self, from: usize, to: usize) {
        self.0.extend_from_within(from..to);
    }

    /// Appends other commands.
    pub(in crate::redis) fn append(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    /// The bytes to send.
    pub(in crate::redis) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn head(&mut self, kind: u8, count: usize) {
        self.0.push(kind);
        self.0.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::CommandBuf;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut buf = CommandBuf::command(3);
        buf.arg("SET");
        buf.arg(b"\0\r\n");
        buf.number(0.25);
        let from = buf.len();
        buf.begin(1);
        buf.arg("a".repeat(12));
        buf.repeat(from, buf.len());
        let repeated = "*1\r\n$12\r\naaaaaaaaaaaa\r\n".repeat(2);
        let expected = format!("*3\r\n$3\r\nSET\r\n$3\r\n\0\r\n\r\n$4\r\n0.25\r\n{repeated}");
        assert_eq!(buf.bytes(), expected.as_bytes());
    }
}
