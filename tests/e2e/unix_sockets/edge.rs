//! The bounds of callers' connections, which hold at a Unix socket as they do over TCP.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::eventually;

use super::UnixFront;
use crate::connections::{BODY, get, post};

#[test]
fn requests_are_taken_one_by_one_and_the_connection_is_kept() {
    let front = UnixFront::start(&["--keep-alive-s", "1"]);
    let mut connection = front.connect();
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n";
    for headers in ["", offer] {
        connection.send(&post("/check", headers, BODY).repeat(8));
        for _ in 0..8 {
            let head = connection.response();
            assert!(head.starts_with("http/1.1 200") && !head.contains("connection:"), "{head}");
        }
    }
    let start = Instant::now();
    connection.assert_ends();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // Behind a request that ends the connection, none is answered.
    let mut connection = front.connect();
    connection.send(&(post("/check", "Connection: close\r\n", BODY) + &get("/health/live", "")));
    assert!(connection.response().contains("connection: close"));
    connection.assert_ends();
}

#[test]
fn silence_half_a_head_and_http_2_are_cut_off() {
    let front = UnixFront::start(&[]);
    thread::scope(|scope| {
        let front = &front;
        for sent in ["", "POST /check HTTP/1.1\r\nHo", "PRI"] {
            scope.spawn(move || {
                let start = Instant::now();
                let mut connection = front.connect();
                connection.send(sent);
                let mut response = String::new();
                connection.0.read_to_string(&mut response).expect("the end");
                assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
                assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            });
        }
    });
    let start = Instant::now();
    let mut connection = front.connect();
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    let mut response = Vec::new();
    let _ = connection.0.read_to_end(&mut response);
    let response = String::from_utf8_lossy(&response);
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    // Half a head on a connection that has been used.
    let mut connection = front.connect();
    connection.send(&post("/check", "", BODY));
    connection.response();
    let start = Instant::now();
    connection.send("GET /hea");
    assert!(connection.response().starts_with("http/1.1 408"));
    connection.assert_ends();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_body_without_end_is_not_read_to_its_end() {
    const MOST: usize = 64 << 20;
    let front = UnixFront::start(&[]);
    for line in ["POST /check?key=k", "GET /health/live", "POST /check"] {
        let mut connection = front.connect();
        connection.0.set_write_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
        connection.send(&head);
        let (start, mut sent) = (Instant::now(), 0);
        while connection.0.write_all(&[b' '; 0x4000]).is_ok() {
            sent += 0x4000;
            assert!(sent < MOST, "{line}: still read after {sent} bytes");
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{line}: {:?}", start.elapsed());
    }
    front.check(BODY);
}

#[test]
fn a_caller_that_does_not_read_is_cut_off() {
    let front = UnixFront::start(&["--workers", "1"]);
    let mut caller = front.connect();
    caller.0.set_write_timeout(Some(Duration::from_millis(200))).expect("a time limit");
    let requests = post("/check", "", BODY).repeat(500);
    let mut sent = 0;
    let full = loop {
        match caller.0.write(requests.as_bytes()) {
            Ok(len) => sent += len,
            Err(error) => break error,
        }
        assert!(sent < 64 << 20, "the front reads on although its answers are not read");
    };
    assert!(matches!(full.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{full}");
    front.check(BODY);
    // A write fails at once when the other end is closed, and else when its time is over.
    eventually(
        "it is cut off",
        Duration::from_secs(60),
        || matches!(caller.0.write(b"x"), Err(error) if error.kind() == ErrorKind::BrokenPipe),
    );
    front.check(BODY);
}

#[test]
fn no_request_is_dropped_at_the_end_and_silence_does_not_delay_it() {
    let mut front = UnixFront::start(&[]);
    let _silent: Vec<_> = (0..16).map(|_| front.connect()).collect();
    let mut connection = front.connect();
    let request = post("/check", "", BODY);
    connection.send(&request);
    connection.response();
    let (half, rest) = request.split_at(request.len() - 5);
    connection.send(half);
    front.process.signal("TERM");
    front.process.wait_for_output("draining");
    connection.send(rest);
    let head = connection.response();
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    let signalled = Instant::now();
    assert!(front.process.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(4), "{:?}", signalled.elapsed());
}
