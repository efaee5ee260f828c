//! Counting answers in what a server sends, without reading them.

/// How one answer is told from the next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Replies {
    /// Redis: so many lines each. A line that begins with `-` is an error.
    Lines(usize),
    /// HTTP/1.1 with `Content-Length`. A status that is not 2xx is an error.
    Http,
}

/// Counts the answers on one connection.
#[derive(Debug)]
pub(crate) struct Counter {
    replies: Replies,
    /// Lines that came, or answers.
    seen: usize,
    /// The end of what came that is not a whole line or answer.
    rest: Vec<u8>,
}

// === impl Replies ===

impl Replies {
    pub(crate) fn counter(self) -> Counter {
        Counter { replies: self, seen: 0, rest: Vec::new() }
    }
}

// === impl Counter ===

impl Counter {
    /// Whole answers so far.
    pub(crate) fn count(&self) -> usize {
        match self.replies {
            Replies::Lines(lines) => self.seen / lines,
            Replies::Http => self.seen,
        }
    }

    /// Takes in what came. Fails on an error, saying it.
    #[track_caller]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self.replies {
            Replies::Lines(_) => self.push_lines(bytes),
            Replies::Http => self.push_http(bytes),
        }
    }

    /// Without a copy or a branch on each byte: the server is to be the slow one.
    #[track_caller]
    fn push_lines(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let began = self.rest.is_empty() && bytes[0] == b'-';
        let pairs = bytes.iter().zip(&bytes[1..]);
        let errors: usize = pairs.map(|(a, b)| usize::from(*a == b'\n' && *b == b'-')).sum();
        assert!(!began && errors == 0, "an error: {:.400}", String::from_utf8_lossy(bytes));
        self.seen += bytes.iter().map(|byte| usize::from(*byte == b'\n')).sum::<usize>();
        self.rest.clear();
        if *last != b'\n' {
            self.rest.push(*last);
        }
    }

    #[track_caller]
    fn push_http(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = http_answer(&self.rest[start..]) {
            start += length;
            self.seen += 1;
        }
        self.rest.drain(..start);
    }
}

/// The length of the answer that these bytes begin with, if it is all there.
#[track_caller]
fn http_answer(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let whole = || String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    assert!(head.starts_with("HTTP/1.1 2"), "an error: {}", whole());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())?.ok()
    });
    let length = end + 4 + length.unwrap_or_else(|| panic!("no length: {}", whole()));
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::Replies;

    /// Every answer, cut at every place, is counted the same.
    #[track_caller]
    fn counts(replies: Replies, text: &str, expected: usize) {
        for cut in 0..text.len() {
            let mut counter = replies.counter();
            counter.push(&text.as_bytes()[..cut]);
            counter.push(&text.as_bytes()[cut..]);
            assert_eq!(counter.count(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn lines() {
        counts(Replies::Lines(1), ":1\r\n+OK\r\n:-1\r\n", 3);
        counts(Replies::Lines(6), "*5\r\n:1\r\n:2\r\n:3\r\n:-1\r\n:5\r\n*5\r\n:1\r\n", 1);
        counts(Replies::Lines(2), "$3\r\na-b\r\n$1\r\nx\r\n", 2);
    }

    #[test]
    fn errors_are_told() {
        for text in ["-ERR no\r\n", ":1\r\n-ERR no\r\n"] {
            for cut in 0..text.len() {
                let told = std::panic::catch_unwind(|| {
                    let mut counter = Replies::Lines(1).counter();
                    counter.push(&text.as_bytes()[..cut]);
                    counter.push(&text.as_bytes()[cut..]);
                });
                assert!(told.is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn http() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello";
        counts(Replies::Http, one, 1);
        counts(Replies::Http, &one.repeat(3), 3);
    }
}
