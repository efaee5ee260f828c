//! Requests sent behind others: one at a time, none after `close`, and whole heads only.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::Front;

use crate::connections::{BODY, Connection, get, post};

/// A request that takes a token, to be sent behind another.
const BEHIND: &str =
    "POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{\"key\":\"behind\"}";

fn requests(headers: &str) -> [String; 8] {
    [
        post("/check", headers, BODY),
        post("/check/batch", headers, r#"{"checks":[{"key":"k"}]}"#),
        post("/check?key=k", headers, ""),
        post("/check", headers, "{"),
        get("/check?key=k", headers),
        get("/health/live", headers),
        get("/metrics", headers),
        get("/nowhere", headers),
    ]
}

#[track_caller]
fn assert_not_taken(front: &Front) {
    assert_eq!(front.post("/peek", r#"{"key":"behind"}"#).body["remaining"], 100);
}

#[test]
fn nothing_follows_a_request_that_ends_the_connection() {
    let front = Front::start(&[]);
    let closing = requests("Connection: close\r\n");
    let old = requests("").map(|request| request.replace("HTTP/1.1", "HTTP/1.0"));
    let chunked = "POST /check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\nb\r\n{\"key\":\"k\"}\r\n0\r\n\r\n";
    for request in closing.into_iter().chain(old).chain([chunked.to_owned()]) {
        let mut connection = Connection::open(front.address());
        connection.send(&format!("{request}{}", BEHIND.repeat(3)));
        let head = connection.response();
        assert!(head.contains("connection: close") || head.starts_with("http/1.0"), "{head}");
        connection.assert_ends();
    }
    assert_not_taken(&front);
    // The requests before it are answered, and none of them says `close`.
    let mut connection = Connection::open(front.address());
    let [last, ..] = requests("Connection: close\r\n");
    connection.send(&format!("{}{last}{BEHIND}", requests("").concat()));
    for _ in 0..8 {
        assert!(!connection.response().contains("connection:"));
    }
    assert!(connection.response().contains("connection: close"));
    connection.assert_ends();
    assert_not_taken(&front);
}

#[test]
fn nothing_follows_a_request_that_the_protocol_forbids() {
    let front = Front::start(&[]);
    for request in [
        "GARBAGE\r\n\r\n",
        "GET /check?key=k HTTP/1.1\r\n\r\n",
        "POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /check HTTP/1.1\r\nHost: x\r\nX: 1\r\n 2\r\n\r\n",
    ] {
        for first in ["", &get("/health/live", "")] {
            let mut connection = Connection::open(front.address());
            connection.send(&format!("{first}{request}{}", BEHIND.repeat(3)));
            if !first.is_empty() {
                assert!(connection.response().starts_with("http/1.1 200"));
            }
            let head = connection.response();
            assert!(head.starts_with("http/1.1 400"), "{request}: {head}");
            connection.assert_ends();
        }
    }
    assert_not_taken(&front);
}

#[test]
fn each_response_is_that_of_its_own_request() {
    let front = Front::start(&[]);
    let head = "HEAD /check?key=k HTTP/1.1\r\nHost: x\r\n\r\n";
    let unread = "POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{\"key\"";
    for request in
        [post("/check", "", BODY), post("/check/batch", "", r#"{"checks":[{"key":"k"}]}"#)]
    {
        let mut connection = Connection::open(front.address());
        connection.send(&format!("{request}{head}{request}{}{unread}", get("/check?key=k", "")));
        assert!(connection.response().starts_with("http/1.1 200"));
        assert!(connection.head().starts_with("http/1.1 200"));
        for _ in 0..2 {
            let head = connection.response();
            assert!(head.starts_with("http/1.1 200") && !head.contains("connection:"), "{head}");
        }
        connection.send(r#":"k"}"#);
        assert!(connection.response().starts_with("http/1.1 200"));
    }
}

#[test]
fn half_a_head_on_a_kept_connection_is_closed() {
    let front = Front::start(&[]);
    let mut idle = Connection::open(front.address());
    idle.send(&post("/check", "", BODY));
    idle.response();
    let half = "POST /check HTTP/1.1\r\nHost: x\r\nContent-Le";
    let callers = requests("").map(|request| {
        let mut connection = Connection::open(front.address());
        connection.send(&request);
        connection.response();
        connection
    });
    let start = Instant::now();
    let callers: Vec<_> = callers
        .into_iter()
        .enumerate()
        .map(|(at, mut connection)| {
            thread::spawn(move || {
                match at % 3 {
                    0 => connection.send(half),
                    1 => connection.send(&format!("{}{half}", get("/health/live", ""))),
                    // A byte now and then makes no difference.
                    _ => {
                        for byte in half.bytes().cycle().take(40) {
                            if connection.0.write_all(&[byte]).is_err() {
                                break;
                            }
                            thread::sleep(Duration::from_millis(250));
                        }
                    }
                }
                if at % 3 == 1 {
                    connection.response();
                }
                let head = connection.head();
                assert!(head.starts_with("http/1.1 408"), "{head}");
                assert!(head.contains("connection: close"), "{head}");
                connection.assert_ends();
            })
        })
        .collect();
    for caller in callers {
        caller.join().expect("408, and the end of the connection");
    }
    // Ten seconds of bytes, or five of silence, and what a busy machine adds.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    idle.send(&post("/check", "", BODY));
    assert!(idle.response().starts_with("http/1.1 200"));
}

#[test]
fn half_a_head_on_a_kept_connection_does_not_hold_up_the_end() {
    let mut front = Front::start(&[]);
    let _callers: Vec<_> = (0..16)
        .map(|_| {
            let mut connection = Connection::open(front.address());
            connection.send(&format!("{}GET /che", post("/check", "", BODY)));
            connection.response();
            connection
        })
        .collect();
    front.signal("TERM");
    let signalled = Instant::now();
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(4), "{:?}", signalled.elapsed());
}
