//! Counts replies in a stream of bytes, without parsing them.

/// The format of a reply, by which one is told from the next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReplyFormat {
    /// Redis, with this many lines per reply. A line that starts with `-` is an error.
    Lines(usize),
    /// HTTP/1.1 with `Content-Length`. A status other than 2xx is an error.
    Http,
}

/// Counts the replies on one connection.
#[derive(Debug)]
pub(crate) struct ReplyCounter {
    format: ReplyFormat,
    /// The number of complete lines, or of complete HTTP responses.
    units: usize,
    /// The end of the stream that is not a complete line or response.
    rest: Vec<u8>,
}

// === impl ReplyFormat ===

impl ReplyFormat {
    pub(crate) fn counter(self) -> ReplyCounter {
        ReplyCounter { format: self, units: 0, rest: Vec::new() }
    }
}

// === impl ReplyCounter ===

impl ReplyCounter {
    /// The number of complete replies so far.
    pub(crate) fn count(&self) -> usize {
        match self.format {
            ReplyFormat::Lines(lines) => self.units / lines,
            ReplyFormat::Http => self.units,
        }
    }

    /// Counts the replies in these bytes. Panics on an error reply, and quotes it.
    #[track_caller]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self.format {
            ReplyFormat::Lines(_) => self.push_lines(bytes),
            ReplyFormat::Http => self.push_http(bytes),
        }
    }

    /// Counts lines without a copy, and without a branch on each byte, so that the server remains
    /// the bottleneck.
    #[track_caller]
    fn push_lines(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let starts_with_error = self.rest.is_empty() && bytes[0] == b'-';
        let pairs = bytes.iter().zip(&bytes[1..]);
        let errors: usize = pairs.map(|(a, b)| usize::from(*a == b'\n' && *b == b'-')).sum();
        assert!(
            !starts_with_error && errors == 0,
            "an error: {:.400}",
            String::from_utf8_lossy(bytes)
        );
        self.units += bytes.iter().map(|byte| usize::from(*byte == b'\n')).sum::<usize>();
        self.rest.clear();
        if *last != b'\n' {
            self.rest.push(*last);
        }
    }

    #[track_caller]
    fn push_http(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = http_response(&self.rest[start..]) {
            start += length;
            self.units += 1;
        }
        self.rest.drain(..start);
    }
}

/// The length of the response at the start of these bytes, if it is complete.
#[track_caller]
fn http_response(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let excerpt = || String::from_utf8_lossy(&bytes[..bytes.len().min(1000)]).into_owned();
    assert!(head.starts_with("HTTP/1.1 2"), "an error: {}", excerpt());
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())?.ok()
    });
    let length = end + 4 + length.unwrap_or_else(|| panic!("no length: {}", excerpt()));
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::ReplyFormat;

    /// Asserts the count for this text, split in two at every position.
    #[track_caller]
    fn counts(format: ReplyFormat, text: &str, expected: usize) {
        for cut in 0..text.len() {
            let mut counter = format.counter();
            counter.push(&text.as_bytes()[..cut]);
            counter.push(&text.as_bytes()[cut..]);
            assert_eq!(counter.count(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn redis_replies_are_counted_by_lines() {
        counts(ReplyFormat::Lines(1), ":1\r\n+OK\r\n:-1\r\n", 3);
        counts(ReplyFormat::Lines(6), "*5\r\n:1\r\n:2\r\n:3\r\n:-1\r\n:5\r\n*5\r\n:1\r\n", 1);
        counts(ReplyFormat::Lines(2), "$3\r\na-b\r\n$1\r\nx\r\n", 2);
    }

    #[test]
    fn errors_are_reported() {
        for text in ["-ERR no\r\n", ":1\r\n-ERR no\r\n"] {
            for cut in 0..text.len() {
                let result = std::panic::catch_unwind(|| {
                    let mut counter = ReplyFormat::Lines(1).counter();
                    counter.push(&text.as_bytes()[..cut]);
                    counter.push(&text.as_bytes()[cut..]);
                });
                assert!(result.is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn http_responses_are_counted_by_their_length() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello";
        counts(ReplyFormat::Http, one, 1);
        counts(ReplyFormat::Http, &one.repeat(3), 3);
    }
}
