//! Reading one HTTP/1.1 response (RFC 9112) out of what has arrived so far.

use std::ops::Range;

use httparse::{EMPTY_HEADER, Status};

/// A response that is there in full.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Body,
    /// Whether the connection may be used again.
    pub(super) keep: bool,
}

/// Where the body is.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// A part of what has arrived.
    There(Range<usize>),
    /// Put together from chunks.
    Whole(Vec<u8>),
}

/// This is no HTTP/1.1, or more of it than any answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

/// How a body ends.
enum Framing {
    Length(usize),
    Chunks,
    Close,
}

const MAX_HEADERS: usize = 64;
const MAX_HEAD: usize = 64 * 1024;
/// A thousand answers of sixteen limits each.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// The response at the beginning of `input`; `None` if it is not there in full. `closed`: nothing
/// more will come.
pub(super) fn read(input: &[u8], closed: bool) -> Result<Option<Response>, Nonsense> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(input).map_err(|_| Nonsense)? {
        Status::Complete(length) => length,
        Status::Partial if input.len() > MAX_HEAD => return Err(Nonsense),
        Status::Partial => return Ok(None),
    };
    let status = head.code.ok_or(Nonsense)?;
    if status < 200 {
        // Only for the moment: the response is what follows.
        let rest = read(&input[length..], closed)?;
        return Ok(rest.map(|response| response.behind(length)));
    }
    let (mut content_type, mut location) = (None, None);
    let mut framing = Framing::Close;
    let mut keep = head.version == Some(1);
    for header in &*head.headers {
        let name = header.name;
        let text = || String::from_utf8_lossy(header.value).into_owned();
        if name.eq_ignore_ascii_case("content-length") && !matches!(framing, Framing::Chunks) {
            let length =
                str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            framing = Framing::Length(length.filter(|length| *length <= MAX_BODY).ok_or(Nonsense)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // The only one that was not asked for and may come all the same.
            framing = if header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                Framing::Chunks
            } else {
                return Err(Nonsense);
            };
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !header.value.trim_ascii().eq_ignore_ascii_case(b"close");
        } else if status != 200 && name.eq_ignore_ascii_case("content-type") {
            content_type = Some(text());
        } else if status != 200 && name.eq_ignore_ascii_case("location") {
            location = Some(text());
        }
    }
    if matches!(status, 204 | 304) {
        framing = Framing::Length(0);
    }
    let rest = &input[length..];
    let body = match framing {
        Framing::Length(body) if rest.len() > body => return Err(Nonsense), // nothing else was asked
        Framing::Length(body) if rest.len() == body => Some(Body::There(length..length + body)),
        Framing::Length(_) => None,
        Framing::Chunks => chunks(rest)?.map(Body::Whole),
        Framing::Close if rest.len() > MAX_BODY => return Err(Nonsense),
        Framing::Close => closed.then_some(Body::There(length..input.len())),
    };
    keep &= !matches!(framing, Framing::Close);
    Ok(body.map(|body| Response { status, content_type, location, body, keep }))
}

/// A body that comes in chunks, if they are all there, and nothing after them.
fn chunks(mut input: &[u8]) -> Result<Option<Vec<u8>>, Nonsense> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(input).map_err(|_| Nonsense)? {
            Status::Complete((start, size)) => {
                (start, usize::try_from(size).map_err(|_| Nonsense)?)
            }
            Status::Partial => return Ok(None),
        };
        if body.len() + size.min(MAX_BODY + 1) > MAX_BODY {
            return Err(Nonsense);
        }
        input = &input[start..];
        if size == 0 {
            let mut trailers = [EMPTY_HEADER; MAX_HEADERS];
            return match httparse::parse_headers(input, &mut trailers).map_err(|_| Nonsense)? {
                Status::Complete((end, _)) if end == input.len() => Ok(Some(body)),
                Status::Complete(_) => Err(Nonsense),
                Status::Partial => Ok(None),
            };
        }
        let Some((chunk, rest)) = input.split_at_checked(size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        input = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(Nonsense),
        };
    }
}

// === impl Response ===

impl Response {
    /// The body, in the input that this was read from.
    pub(super) fn body<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.body {
            Body::There(range) => &input[range.clone()],
            Body::Whole(bytes) => bytes,
        }
    }

    /// The same, so many bytes later.
    fn behind(mut self, length: usize) -> Self {
        if let Body::There(range) = &mut self.body {
            *range = range.start + length..range.end + length;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Nonsense, read};

    /// Status, body, and whether the connection may be used again.
    fn whole(input: &str, closed: bool) -> Result<Option<(u16, String, bool)>, Nonsense> {
        let response = read(input.as_bytes(), closed)?;
        Ok(response.map(|response| {
            let body = String::from_utf8(response.body(input.as_bytes()).to_vec()).unwrap();
            (response.status, body, response.keep)
        }))
    }

    #[test]
    fn ways_to_end() {
        for (input, status, body, keep) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true),
            (
                "HTTP/1.1 200 OK\r\ncontent-length:2\r\nconnection: close\r\n\r\n{}",
                200,
                "{}",
                false,
            ),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", 200, "{}", false),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nConnection: Keep-Alive\r\n\r\n{}",
                200,
                "{}",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
                200,
                "{}",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
                200,
                "0123456789",
                true,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 503 X\r\ncontent-length: 1\r\n\r\n!",
                503,
                "!",
                true,
            ),
        ] {
            let expected = Ok(Some((status, body.to_owned(), keep)));
            assert_eq!(whole(input, false), expected, "{input}");
            // Every beginning of it is a beginning.
            for end in 0..input.len() {
                assert_eq!(whole(&input[..end], false), Ok(None), "{}", &input[..end]);
            }
            assert_eq!(whole(&format!("{input}x"), false), Err(Nonsense), "{input}");
        }
        let until_closed = "HTTP/1.1 200 OK\r\n\r\n{}";
        assert_eq!(whole(until_closed, false), Ok(None));
        assert_eq!(whole(until_closed, true), Ok(Some((200, "{}".to_owned(), false))));
    }

    #[test]
    fn nonsense() {
        for input in [
            "SSH-2.0-OpenSSH_9.6\r\n",
            "+PONG\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{}\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffff\r\n",
        ] {
            assert_eq!(whole(input, false), Err(Nonsense), "{input}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(super::MAX_HEAD));
        assert_eq!(whole(&endless, false), Err(Nonsense));
    }

    #[test]
    fn what_explains_an_error() {
        let input = "HTTP/1.1 308 X\r\nContent-Type: text/html\r\nLocation: /x\r\ncontent-length: 0\r\n\r\n";
        let response = read(input.as_bytes(), false).unwrap().unwrap();
        assert_eq!(response.content_type.as_deref(), Some("text/html"));
        assert_eq!(response.location.as_deref(), Some("/x"));
    }
}
