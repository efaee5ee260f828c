//! Offers to go on in another protocol, as Java's HTTP client makes them with every request.
//!
//! A server may ignore an offer (RFC 9110, section 7.8). actix-http does not: it closes the
//! connection after the response, and takes all that follows an offer of `websocket` for the body.
//! So offers are hidden from it.

use std::{ops::Range, str, sync::LazyLock};

use httparse::{EMPTY_HEADER, Status};
use memchr::memmem::Finder;
use smallvec::SmallVec;

/// As long as `upgrade`, and has no meaning.
const HIDDEN: &[u8; 7] = b"x-offer";
const UPGRADE: &str = "upgrade";
/// Finds the end of `upgrade`, whose first letter may be a capital. Built once: that costs more than
/// a search.
static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&UPGRADE[1..]));
/// As many as actix-http accepts.
const MAX_HEADERS: usize = 96;

/// Hides the offers in what was received from a caller at once, in place.
///
/// That is exact if it starts with a request, as it does unless the caller sends a head in pieces
/// or pipelines after a body in pieces; such offers stay. If it starts inside a body, nothing
/// changes that matters: a whole head needs line breaks, which JSON has in no string.
pub(crate) fn hide(received: &mut [u8]) {
    // Costs a request without an offer next to nothing.
    if END.find(received).is_none() {
        return;
    }
    let mut rest = received;
    while let Some(len) = hide_in_request(rest) {
        rest = rest.get_mut(len..).unwrap_or_default();
    }
}

/// Hides the offers in the head of a request. Returns the length of the request with its body, if
/// that is known.
fn hide_in_request(bytes: &mut [u8]) -> Option<usize> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(Status::Complete(head_len)) = request.parse(bytes) else { return None };
    let mut body_len = Some(0);
    let mut offers: SmallVec<[Range<usize>; 4]> = SmallVec::new();
    let start = bytes.as_ptr().addr();
    let mut offer = |text: &[u8]| {
        let at = text.as_ptr().addr() - start;
        offers.push(at..at + text.len());
    };
    for header in request.headers {
        let is = |name| header.name.eq_ignore_ascii_case(name);
        if is(UPGRADE) {
            offer(header.name.as_bytes());
        } else if is("connection") {
            header
                .value
                .split(|byte| *byte == b',')
                .map(<[u8]>::trim_ascii)
                .filter(|option| option.eq_ignore_ascii_case(UPGRADE.as_bytes()))
                .for_each(&mut offer);
        } else if is("content-length") {
            body_len = str::from_utf8(header.value).ok().and_then(|it| it.trim().parse().ok());
        } else if is("transfer-encoding") {
            body_len = None;
        }
    }
    for offer in offers {
        bytes[offer].copy_from_slice(HIDDEN);
    }
    body_len.and_then(|len: usize| len.checked_add(head_len))
}

#[cfg(test)]
mod tests {
    use super::hide;

    #[track_caller]
    fn hidden(received: &str) -> String {
        let mut bytes = received.as_bytes().to_vec();
        hide(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn offers_lose_their_meaning_and_nothing_else_does() {
        for (headers, expected) in [
            ("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n", true),
            ("connection: keep-alive,upgrade\r\nupgrade: websocket\r\n", true),
            ("Connection: close, Upgrade\r\nUpgrade: h2c\r\n", true),
            ("Upgrade-Insecure-Requests: 1\r\nConnection: keep-alive\r\n", false),
            ("X-Note: Upgrade\r\nConnection: upgraded\r\n", false),
        ] {
            let request = format!("GET /upgrade HTTP/1.1\r\nHost: upgrade\r\n{headers}\r\n");
            let hidden = hidden(&request);
            assert_eq!(hidden.len(), request.len());
            assert_eq!(hidden.contains("x-offer"), expected, "{hidden}");
            let count = hidden.matches("x-offer").count();
            assert_eq!(count, if expected { 2 } else { 0 }, "{hidden}");
            assert!(hidden.starts_with("GET /upgrade HTTP/1.1\r\nHost: upgrade\r\n"), "{hidden}");
            assert_eq!(hidden.contains("close, "), headers.contains("close"), "{hidden}");
        }
    }

    #[test]
    fn every_request_received_at_once_is_looked_at() {
        let offer = "POST /check HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 7\r\n\r\nupgrade";
        let hidden = hidden(&offer.repeat(3));
        let expected = offer.replace("Upgrade:", "x-offer:");
        assert_eq!(hidden, expected.repeat(3));
    }

    #[test]
    fn bodies_are_left_alone() {
        for body in [
            r#"{"key":"upgrade"}"#,
            "8\r\n{\"key\":\"\r\n9\r\nupgrade\"}\r\n0\r\n\r\n",
            "upgrade: h2c\r\n\r\n",
        ] {
            assert_eq!(hidden(body), body);
            let request =
                format!("POST /check HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            assert_eq!(hidden(&request), request);
        }
    }
}
