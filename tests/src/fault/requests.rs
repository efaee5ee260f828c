//! Commands as clients send them, told from the bytes that go by.

/// One client's side of a connection.
#[derive(Default)]
pub(super) struct Requests {
    /// The beginning of a command whose end has not come by.
    rest: Vec<u8>,
}

// === impl Requests ===

impl Requests {
    /// Takes the next bytes and names each command that is now whole, in capitals. After nonsense it names
    /// no more.
    pub(super) fn read(&mut self, bytes: &[u8], mut name: impl FnMut(String)) {
        self.rest.extend_from_slice(bytes);
        let mut read = 0;
        while let Some((command, len)) = command(&self.rest[read..]) {
            name(command);
            read += len;
        }
        self.rest.drain(..read);
    }
}

/// The name of the first command, if it is whole, and its length in bytes.
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

/// The number of a line that begins so, and the line's length.
fn number(bytes: &[u8], begin: u8) -> Option<(usize, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = bytes[..end].strip_prefix(&[begin])?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, end + 2))
}

#[cfg(test)]
mod tests {
    use super::Requests;

    #[test]
    fn commands_are_counted_however_they_are_cut() {
        let stream = b"*1\r\n$4\r\nping\r\n*2\r\n$3\r\nGET\r\n$4\r\n*1\r\n\r\n*1\r\n$4\r\nPING\r\n";
        for piece in 1..=stream.len() {
            let mut requests = Requests::default();
            let mut names = Vec::new();
            for bytes in stream.chunks(piece) {
                requests.read(bytes, |name| names.push(name));
            }
            assert_eq!(names, ["PING", "GET", "PING"], "in pieces of {piece}");
            assert!(requests.rest.is_empty());
        }
    }
}
