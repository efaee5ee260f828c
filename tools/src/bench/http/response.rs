//! A parser for one HTTP/1.1 response (RFC 9112) in the bytes received so far.

use std::ops::Range;

use httparse::{EMPTY_HEADER, Status};

/// A complete response.
#[derive(Debug, PartialEq)]
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) location: Option<String>,
    body: Body,
    /// Whether the connection may be used again.
    pub(super) keep_alive: bool,
}

/// Whether the peer may still send more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerState {
    Open,
    Closed,
}

/// Input that is not HTTP/1.1, or larger than any answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidResponse;

#[derive(Debug, PartialEq)]
enum Body {
    /// A range of the input.
    InPlace(Range<usize>),
    /// Joined from chunks.
    Joined(Vec<u8>),
}

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

/// Parses the response at the start of `input`. Returns `None` if it is incomplete.
pub(super) fn read(input: &[u8], peer: PeerState) -> Result<Option<HttpResponse>, InvalidResponse> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(input).map_err(|_| InvalidResponse)? {
        Status::Complete(length) => length,
        Status::Partial if input.len() > MAX_HEAD => return Err(InvalidResponse),
        Status::Partial => return Ok(None),
    };
    let status = head.code.ok_or(InvalidResponse)?;
    if status < 200 {
        // An interim response: the final one follows.
        let response = read(&input[length..], peer)?;
        return Ok(response.map(|response| response.shifted_by(length)));
    }
    let (mut content_type, mut location) = (None, None);
    let mut framing = Framing::Close;
    let mut keep_alive = head.version == Some(1);
    for header in &*head.headers {
        let name = header.name;
        let text = || String::from_utf8_lossy(header.value).into_owned();
        if name.eq_ignore_ascii_case("content-length") && !matches!(framing, Framing::Chunks) {
            let length =
                str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            let length = length.filter(|length| *length <= MAX_BODY);
            framing = Framing::Length(length.ok_or(InvalidResponse)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // The only coding that a server may use unasked.
            framing = if header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                Framing::Chunks
            } else {
                return Err(InvalidResponse);
            };
        } else if name.eq_ignore_ascii_case("connection") {
            keep_alive = !header.value.trim_ascii().eq_ignore_ascii_case(b"close");
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
        // One request was sent, so nothing may follow its response.
        Framing::Length(body) if rest.len() > body => return Err(InvalidResponse),
        Framing::Length(body) if rest.len() == body => Some(Body::InPlace(length..length + body)),
        Framing::Length(_) => None,
        Framing::Chunks => join_chunks(rest)?.map(Body::Joined),
        Framing::Close if rest.len() > MAX_BODY => return Err(InvalidResponse),
        Framing::Close => (peer == PeerState::Closed).then_some(Body::InPlace(length..input.len())),
    };
    keep_alive &= !matches!(framing, Framing::Close);
    Ok(body.map(|body| HttpResponse { status, content_type, location, body, keep_alive }))
}

/// Joins the chunks of a body. Returns `None` if they are incomplete; nothing may follow them.
fn join_chunks(mut input: &[u8]) -> Result<Option<Vec<u8>>, InvalidResponse> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(input).map_err(|_| InvalidResponse)? {
            Status::Complete((start, size)) => {
                (start, usize::try_from(size).map_err(|_| InvalidResponse)?)
            }
            Status::Partial => return Ok(None),
        };
        if body.len() + size.min(MAX_BODY + 1) > MAX_BODY {
            return Err(InvalidResponse);
        }
        input = &input[start..];
        if size == 0 {
            let mut trailers = [EMPTY_HEADER; MAX_HEADERS];
            let trailers = httparse::parse_headers(input, &mut trailers);
            return match trailers.map_err(|_| InvalidResponse)? {
                Status::Complete((end, _)) if end == input.len() => Ok(Some(body)),
                Status::Complete(_) => Err(InvalidResponse),
                Status::Partial => Ok(None),
            };
        }
        let Some((chunk, rest)) = input.split_at_checked(size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        input = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(InvalidResponse),
        };
    }
}

// === impl HttpResponse ===

impl HttpResponse {
    /// The body, given the input that this was parsed from.
    pub(super) fn body<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.body {
            Body::InPlace(range) => &input[range.clone()],
            Body::Joined(bytes) => bytes,
        }
    }

    /// This response in an input that has `length` more bytes in front.
    fn shifted_by(mut self, length: usize) -> Self {
        if let Body::InPlace(range) = &mut self.body {
            *range = range.start + length..range.end + length;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidResponse, PeerState, read};

    /// Status, body, and whether the connection may be used again.
    fn parsed(
        input: &str,
        peer: PeerState,
    ) -> Result<Option<(u16, String, bool)>, InvalidResponse> {
        let response = read(input.as_bytes(), peer)?;
        Ok(response.map(|response| {
            let body = String::from_utf8(response.body(input.as_bytes()).to_vec()).unwrap();
            (response.status, body, response.keep_alive)
        }))
    }

    #[test]
    fn bodies_end_by_length_chunks_or_close() {
        for (input, status, body, keep_alive) in [
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
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
                200,
                "{}",
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                 A\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
                200,
                "0123456789",
                true,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
            (
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
                 HTTP/1.1 503 X\r\ncontent-length: 1\r\n\r\n!",
                503,
                "!",
                true,
            ),
        ] {
            let expected = Ok(Some((status, body.to_owned(), keep_alive)));
            assert_eq!(parsed(input, PeerState::Open), expected, "{input}");
            // Every prefix is incomplete.
            for end in 0..input.len() {
                assert_eq!(parsed(&input[..end], PeerState::Open), Ok(None), "{}", &input[..end]);
            }
            assert_eq!(
                parsed(&format!("{input}x"), PeerState::Open),
                Err(InvalidResponse),
                "{input}"
            );
        }
        let until_closed = "HTTP/1.1 200 OK\r\n\r\n{}";
        assert_eq!(parsed(until_closed, PeerState::Open), Ok(None));
        assert_eq!(
            parsed(until_closed, PeerState::Closed),
            Ok(Some((200, "{}".to_owned(), false)))
        );
    }

    #[test]
    fn other_protocols_and_broken_framing_are_invalid() {
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
            assert_eq!(parsed(input, PeerState::Open), Err(InvalidResponse), "{input}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(super::MAX_HEAD));
        assert_eq!(parsed(&endless, PeerState::Open), Err(InvalidResponse));
    }

    #[test]
    fn content_type_and_location_of_errors_are_kept() {
        let input = "HTTP/1.1 308 X\r\nContent-Type: text/html\r\nLocation: /x\r\n\
                     content-length: 0\r\n\r\n";
        let response = read(input.as_bytes(), PeerState::Open).unwrap().unwrap();
        assert_eq!(response.content_type.as_deref(), Some("text/html"));
        assert_eq!(response.location.as_deref(), Some("/x"));
    }
}
