//! Recovers the commands that a client sends from the bytes that pass through the proxy.

/// An incremental parser for one client's stream of commands.
#[derive(Default)]
pub(crate) struct CommandParser {
    /// The start of a command whose end has not arrived.
    pending: Vec<u8>,
}

// === impl CommandParser ===

impl CommandParser {
    /// Reads the next bytes and reports the name, in upper case, of each command that is complete.
    /// Reports nothing more after bytes that are not a command.
    pub(crate) fn read(&mut self, bytes: &[u8], mut report: impl FnMut(String)) {
        self.pending.extend_from_slice(bytes);
        let mut parsed = 0;
        while let Some((name, len)) = command(&self.pending[parsed..]) {
            report(name);
            parsed += len;
        }
        self.pending.drain(..parsed);
    }

    /// Whether the bytes so far end with a command.
    pub(crate) fn is_between(&self) -> bool {
        self.pending.is_empty()
    }
}

/// The name of the first command, if it is complete, and its length in bytes.
fn command(bytes: &[u8]) -> Option<(String, usize)> {
    let (words, mut at) = number(bytes, b'*')?;
    let mut name = None;
    for _ in 0..words {
        let (len, head) = number(bytes.get(at..)?, b'$')?;
        let word = bytes.get(at + head..at + head + len)?;
        name.get_or_insert_with(|| String::from_utf8_lossy(word).to_uppercase());
        at += head + len + 2;
    }
    (at <= bytes.len()).then_some((name?, at))
}

/// The number in a line that starts with `prefix`, and the length of the line.
fn number(bytes: &[u8], prefix: u8) -> Option<(usize, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = bytes[..end].strip_prefix(&[prefix])?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, end + 2))
}

#[cfg(test)]
mod tests {
    use super::CommandParser;

    #[test]
    fn commands_are_counted_however_the_stream_is_split() {
        let stream = b"*1\r\n$4\r\nping\r\n*2\r\n$3\r\nGET\r\n$4\r\n*1\r\n\r\n*1\r\n$4\r\nPING\r\n";
        for size in 1..=stream.len() {
            let mut parser = CommandParser::default();
            let mut names = Vec::new();
            for bytes in stream.chunks(size) {
                parser.read(bytes, |name| names.push(name));
            }
            assert_eq!(names, ["PING", "GET", "PING"], "in pieces of {size}");
            assert!(parser.is_between());
        }
    }
}
