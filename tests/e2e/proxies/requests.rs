//! What clients get while a front answers.

use std::num::NonZero;
use std::thread;

use rl_tests::{FaultProxy, Message};

use super::kind::Kind;
use super::site::{Fails, Site, failing, forbidding};

/// A client empties its own bucket through the proxy, and no other.
pub(super) fn limits(kind: &Kind) {
    let site = Site::start(kind, "3", Fails::Closed);
    for remaining in [2, 1, 0] {
        let answer = site.send(2, "GET /hello", b"");
        assert_eq!((answer.status(), &answer.body[..]), (200, &b"hello"[..]), "{answer:?}");
        let start = format!("\"default\";r={remaining};t=");
        let start = if kind.has_rate_limit { &start[..] } else { "" };
        assert!(answer.header("ratelimit").starts_with(start), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy").is_empty(), start.is_empty(), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "", "{answer:?}");
    }
    for request in [
        "GET /hello",
        "GET /hello?key=other&cost=0&policy=none",
        "GET /hello&key=other&cost=0",
        "GET /hello\nX-RL-Key: other",
        "GET /hello\nX-Forwarded-For: 127.0.0.9\nX-Real-IP: 127.0.0.9\nForwarded: for=127.0.0.9",
    ] {
        let answer = site.send(2, request, b"");
        assert_eq!(answer.status(), 429, "{request}: {answer:?}");
        let wait: u32 = answer.header("retry-after").parse().expect("seconds to wait");
        assert!((86_000..=86_400).contains(&wait), "{answer:?}");
        assert!(answer.header("ratelimit").starts_with("\"default\";r=0;t="), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=259200", "{answer:?}");
    }
    assert_eq!(site.application.take().len(), 3, "allowed requests reach the application");

    // Other clients have other buckets, and many requests at once get no more than a bucket holds.
    assert_eq!(site.send(3, "GET /hello", b"").status(), 200);
    let allowed = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..12).map(|_| scope.spawn(|| site.send(4, "GET /hello", b"").status())).collect();
        let statuses = callers.into_iter().map(|caller| caller.join().expect("an answer"));
        statuses.filter(|status| *status == 200).count()
    });
    assert_eq!(allowed, 3);
    assert_eq!(site.application.take().len(), 1 + 3);
}

/// Allowed requests reach the application as the client sent them.
pub(super) fn passes(kind: &Kind) {
    let site = Site::start(kind, "100", Fails::Closed);
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for (line, body) in [
        ("POST /form?a=b&key=c", &b"a=b"[..]),
        ("PUT /file", &long),
        ("POST /empty", b""),
        ("DELETE /file", b""),
    ] {
        let answer = site.send(2, &format!("{line}\nAuthorization: Basic YTpi\nCookie: a=b"), body);
        assert_eq!(answer.status(), 200, "{line}: {answer:?}");
        let requests = site.application.take();
        assert_eq!(requests.len(), 1, "{line}: {requests:?}");
        assert!(
            requests[0].start_line.starts_with(&format!("{line} HTTP/")),
            "{line}: {requests:?}"
        );
        assert!(
            requests[0].body == body,
            "{line}: {} bytes of {}",
            requests[0].body.len(),
            body.len()
        );
        assert_eq!(requests[0].header("authorization"), "Basic YTpi");
        assert_eq!(requests[0].header("cookie"), "a=b");
    }
}

/// Checks share a few connections to the front, whatever they are answered and whatever the
/// client's method is.
pub(super) fn keeps_connections(kind: &Kind) {
    // HAProxy has a thread for each core, and each of them its own connections.
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let front = Site::front(&(15 * threads).to_string());
    let relay = FaultProxy::start(Site::port(&front));
    let site = Site::over(kind, front, relay.port(), |text| failing(text, Fails::Closed));
    let mut statuses = [0, 0];
    for request in ["GET /", "POST /form", "HEAD /"].repeat(10 * threads) {
        let body = if request.starts_with("POST") { &b"a=b"[..] } else { b"" };
        match site.send(2, request, body).status() {
            200 => statuses[0] += 1,
            429 => statuses[1] += 1,
            status => panic!("{request}: {status}"),
        }
    }
    assert_eq!(statuses, [15 * threads, 15 * threads]);
    let connections = relay.connection_times().len();
    // A slow machine may see an idle connection closed and replaced.
    assert!(connections <= threads + 2, "{connections} connections for {threads} threads");
}

/// An upload arrives whole, however its length is told.
pub(super) fn carries_uploads(kind: &Kind) {
    let site = Site::start(kind, "100", Fails::Closed);
    let body: Vec<u8> = (0..=255).cycle().take(2 << 20).collect();
    for headers in ["", "\nTransfer-Encoding: chunked", "\nExpect: 100-continue"] {
        let answer = site.send(2, &format!("POST /upload{headers}"), &body);
        assert_eq!(answer.status(), 200, "{headers}: {answer:?}");
        let requests = site.application.take();
        assert_eq!(requests.len(), 1, "{headers}");
        assert!(requests[0].body == body, "{headers}: {} bytes", requests[0].body.len());
    }
}

/// A 403 of the application or of the proxy itself stays what it is. Only a denial is a 429.
pub(super) fn leaves_other_refusals(kind: &Kind) {
    let front = Site::front("2");
    let port = Site::port(&front);
    let site =
        Site::over(kind, front, port, |text| forbidding(&failing(text, Fails::Closed), kind));
    assert_forbidden(&site.send(9, "GET /", b""));
    assert!(site.application.take().is_empty());
    for _ in 0..2 {
        let answer = site.send(2, "GET /forbidden", b"");
        assert_forbidden(&answer);
        assert_eq!(answer.body, b"not for you");
    }
    let denied = site.send(2, "GET /forbidden", b"");
    assert_eq!(denied.status(), 429, "{denied:?}");
    assert_ne!(denied.header("retry-after"), "", "{denied:?}");
    assert!(denied.header("content-type").ends_with("json"), "{denied:?}");
    assert!(denied.body.starts_with(b"{"), "{denied:?}");
    if kind.program.name == "nginx" {
        // A folder without an index: forbidden after a check, which took a token.
        assert_forbidden(&site.send(3, "GET /body/", b""));
    }
}

#[track_caller]
pub(super) fn assert_forbidden(answer: &Message) {
    assert_eq!(answer.status(), 403, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "", "{answer:?}");
}

/// A client may go on over its connection after a denial, even if that left a body unread.
pub(super) fn denies_without_closing(kind: &Kind) {
    let site = Site::start(kind, "1", Fails::Closed);
    let mut connection = site.connect(2);
    assert_eq!(connection.request("GET /", b"").status(), 200);
    for (request, body) in [
        ("GET /", &b""[..]),
        ("POST /form", b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        ("HEAD /", b""),
        ("OPTIONS /", b""),
        ("PUT /file\nTransfer-Encoding: chunked", b"a=b"),
        ("GET /", b""),
    ] {
        let answer = connection.request(request, body);
        assert_eq!(answer.status(), 429, "{request}: {answer:?}");
        assert_ne!(answer.header("retry-after"), "", "{request}: {answer:?}");
    }
    assert_eq!(site.application.take().len(), 1);

    let first = site.connect(2).announce("POST /upload", 3_000_000).status();
    assert_eq!(first, if kind.spares_uploads { 429 } else { 100 });
}
