//! The head of a request: its length, and that of the body.
//!
//! It is read here only as far as that needs, since every request pays for it; the decoder checks
//! it.

use httparse::EMPTY_HEADER;
use memchr::memchr;

use crate::upgrade_offers;

/// A whole head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) len: usize,
    pub(super) body_len: BodyLen,
}

/// The length of a body, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLen {
    Sized(u64),
    Chunked,
    /// The header fields contradict each other or break a rule.
    Unknown,
}

/// The head before, which most callers send again: to compare it costs less than to read it.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    text: Vec<u8>,
    body_len: Option<BodyLen>,
}

/// The longest head that is kept, since each connection may have one.
const MAX_LAST: usize = 512;
/// As many as actix-http accepts.
const MAX_HEADERS: usize = 96;

// === impl LastHead ===

impl LastHead {
    /// Reads the head at the start of `bytes`, as [`Head::read`] does. If offers were hidden in the
    /// last one, it is kept without them, and no head that has them equals it.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Option<Head> {
        if let Some(body_len) = self.body_len
            && bytes.starts_with(&self.text)
        {
            return Some(Head { len: self.text.len(), body_len });
        }
        let head = Head::read(bytes)?;
        if head.len <= MAX_LAST {
            self.text.clear();
            self.text.extend_from_slice(&bytes[..head.len]);
            self.body_len = Some(head.body_len);
        }
        Some(head)
    }
}

// === impl Head ===

impl Head {
    /// Reads the head at the start of `bytes`, and hides the upgrade offers in it. `None` if it is
    /// not whole.
    pub(super) fn read(bytes: &mut [u8]) -> Option<Self> {
        let (mut at, mut is_request_line) = (0, true);
        let mut body_len = None;
        loop {
            let end = at + memchr(b'\n', &bytes[at..])?;
            let text_end = if bytes[at..end].ends_with(b"\r") { end - 1 } else { end };
            let line = &mut bytes[at..text_end];
            at = end + 1;
            match line {
                // Empty lines before a request are skipped (RFC 9112, section 2.2).
                [] if is_request_line => {}
                [] => break,
                _ if is_request_line => {
                    is_request_line = false;
                    // All that follows would be its body.
                    if line.starts_with(b"CONNECT ") {
                        body_len = Some(BodyLen::Unknown);
                    }
                }
                [b'c' | b'C', ..] => {
                    if let Some(value) = value(line, b"content-length") {
                        let len = body_len.is_none().then(|| parse_len(value)).flatten();
                        body_len = Some(len.map_or(BodyLen::Unknown, BodyLen::Sized));
                    } else if let Some(value) = value(line, b"connection") {
                        upgrade_offers::hide_option(value);
                    }
                }
                [b't' | b'T', ..] => {
                    if let Some(value) = value(line, b"transfer-encoding") {
                        let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                        body_len = Some(match body_len {
                            None if is_chunked => BodyLen::Chunked,
                            _ => BodyLen::Unknown,
                        });
                    }
                }
                [b'u' | b'U', ..] => upgrade_offers::hide_name(line),
                _ => {}
            }
        }
        Some(Self { len: at, body_len: body_len.unwrap_or(BodyLen::Sized(0)) })
    }
}

/// The value in a header line, if the header has that name, which is given in lower case.
fn value<'a, const N: usize>(line: &'a mut [u8], name: &[u8; N]) -> Option<&'a mut [u8]> {
    match line.split_first_chunk_mut() {
        // Costs a few instructions where `eq_ignore_ascii_case` costs a hundred. No other byte than
        // a letter becomes one.
        Some((start, [b':', value @ ..])) if start.map(|byte| byte | 0x20) == *name => Some(value),
        _ => None,
    }
}

fn parse_len(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |len, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        len.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether `bytes`, which hold no whole head, cannot become one.
pub(super) fn is_invalid(bytes: &[u8]) -> bool {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    httparse::Request::new(&mut headers).parse(bytes).is_err()
}
