//! The connections of callers: offers, silence, bodies that nobody reads, and when they close.

use std::io::{ErrorKind, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::{Front, skip};
use serde_json::json;

pub(crate) const BODY: &str = r#"{"key":"k"}"#;
/// The offer of Java's HTTP client, and that of a browser.
const OFFERS: [&str; 2] = [
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
    "connection: keep-alive, upgrade\r\nupgrade: websocket\r\n",
];

/// A connection whose responses are read one by one.
pub(crate) struct Connection<S = TcpStream>(pub(crate) S);

// === impl Connection ===

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection to the front");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        stream.set_nodelay(true).expect("an option");
        Self(stream)
    }
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("to send");
    }

    /// The head of the next response, which has no body.
    #[track_caller]
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a response");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("UTF-8").to_lowercase()
    }

    /// The head of the next response. Its body is skipped.
    #[track_caller]
    pub(crate) fn response(&mut self) -> String {
        let head = self.head();
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let len: usize = len.expect("a length").parse().expect("a number");
        self.0.read_exact(&mut vec![0; len]).expect("a body");
        head
    }

    /// Waits until the front closes the connection, and asserts that nothing more was answered.
    #[track_caller]
    pub(crate) fn assert_ends(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len}\r\n\r\n{body}")
}

pub(crate) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

#[test]
fn an_upgrade_offer_is_ignored_and_the_connection_is_kept() {
    let front = Front::start(&[]);
    let mut connection = Connection::open(front.address());
    for offer in OFFERS {
        for request in [
            post("/check", offer, BODY),
            post("/peek", offer, BODY),
            post("/take", offer, r#"{"key":"k","max":1}"#),
            post("/refund", offer, r#"{"key":"k","amount":1}"#),
            post("/charge", offer, r#"{"key":"k","amount":1}"#),
            post("/reset", offer, BODY),
            post("/check/batch", offer, r#"{"checks":[{"key":"k"}]}"#),
            post("/check?key=k", offer, ""),
            get("/check?key=k", offer),
            get("/health/live", offer),
            get("/metrics", offer),
            get("/openapi.json", offer),
            get("/docs", offer),
            get("/nowhere", offer),
        ] {
            connection.send(&request);
            let head = connection.response();
            assert!(!head.contains("connection:") && !head.contains("upgrade"), "{request}{head}");
            assert!(!head.contains(" 408 ") && !head.contains(" 5"), "{request}{head}");
        }
        connection.send(&post("/check", offer, BODY).repeat(8));
        for _ in 0..8 {
            assert!(connection.response().starts_with("http/1.1 200"));
        }
    }
    // However the head and the body are split.
    let mut connection = Connection::open(front.address());
    for offer in OFFERS {
        for request in [post("/check", offer, BODY), get("/check?key=k", offer)] {
            for at in (1..request.len()).step_by(7) {
                connection.send(&request[..at]);
                connection.send(&request[at..]);
                let head = connection.response();
                assert!(
                    head.starts_with("http/1.1 200") && !head.contains("connection:"),
                    "{head}"
                );
            }
        }
    }
}

#[test]
fn http_2_is_refused_at_once() {
    let front = Front::start(&["--admin-listen", "127.0.0.1:0"]);
    let start = Instant::now();
    let mut connection = Connection::open(front.address());
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0");
    let mut response = Vec::new();
    let _ = connection.0.read_to_end(&mut response);
    let response = String::from_utf8_lossy(&response);
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let url = format!("http://{}/check", front.address());
    let output = Command::new("curl")
        .args(["-s", "-w", "HTTP/%{http_version}", "--http2", &url, "-d", BODY])
        .output()
        .expect("curl");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains(r#""allowed":true"#) && answer.ends_with("HTTP/1.1"), "{answer}");
}

#[test]
fn a_connection_that_sends_nothing_is_closed() {
    let front = Front::start(&[]);
    let start = Instant::now();
    let mut silent = Connection::open(front.address());
    let mut response = Vec::new();
    silent.0.read_to_end(&mut response).expect("the end of the connection");
    let response = String::from_utf8_lossy(&response);
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
    // Five seconds, and what a busy machine adds.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn connections_that_send_nothing_do_not_hold_up_the_end() {
    let mut front = Front::start(&[]);
    let _silent: Vec<_> = (0..16).map(|_| Connection::open(front.address())).collect();
    front.check(BODY);
    front.signal("TERM");
    let signalled = Instant::now();
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(4), "{:?}", signalled.elapsed());
}

#[test]
fn a_body_without_end_is_not_read_to_its_end() {
    const MOST: usize = 64 << 20;
    let front = Front::start(&[]);
    for line in [
        "POST /check?key=k",
        "GET /check?key=k",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /openapi.json",
        "POST /nowhere",
        "POST /check",
    ] {
        for (framing, start) in
            [("Transfer-Encoding: chunked", "4000\r\n"), ("Content-Length: 1000000000", "")]
        {
            let mut connection = Connection::open(front.address());
            connection.0.set_write_timeout(Some(Duration::from_secs(20))).expect("a limit");
            connection.send(&format!("{line} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"));
            let end = if start.is_empty() { "" } else { "\r\n" };
            let chunk = format!("{start}{}{end}", " ".repeat(0x4000));
            let began = Instant::now();
            let mut sent = 0;
            while connection.0.write_all(chunk.as_bytes()).is_ok() {
                sent += chunk.len();
                assert!(sent < MOST, "{line} {framing}: still read after {sent} bytes");
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{line} {framing}");
        }
    }
    assert_eq!(front.check(BODY)["allowed"], json!(true));
}

#[test]
fn an_unread_body_closes_the_connection_unless_it_has_arrived() {
    let front = Front::start(&[]);
    for framing in ["Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    {
        // All of the body is there: it is skipped, and the next request answered.
        let mut connection = Connection::open(front.address());
        let request = format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{framing}");
        connection.send(&request.repeat(3));
        for _ in 0..3 {
            let head = connection.response();
            assert!(head.starts_with("http/1.1 200") && !head.contains("close"), "{head}");
        }
    }
    for framing in ["Content-Length: 500\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n1\r\nx"]
    {
        for line in ["GET /health/live", "GET /check?key=k", "POST /check?key=k", "GET /metrics"] {
            let mut connection = Connection::open(front.address());
            connection.send(&format!("{line} HTTP/1.1\r\nHost: x\r\n{framing}"));
            let head = connection.response();
            let closes = head.contains("connection: close");
            assert!(head.starts_with("http/1.1 200") && closes, "{line} {framing}: {head}");
            // After `close`, nothing more is answered.
            let _ = connection.0.write_all(get("/health/live", "").as_bytes());
            connection.assert_ends();
        }
    }
}

#[test]
fn an_idle_connection_is_kept_as_long_as_the_flag_says() {
    let front = Front::start(&["--keep-alive-s", "1"]);
    let mut connection = Connection::open(front.address());
    for _ in 0..2 {
        connection.send(&post("/check", "", BODY));
        assert!(!connection.response().contains("close"));
    }
    let start = Instant::now();
    connection.assert_ends();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// Passes connections on to `address`, and counts them. Returns its own address.
fn relay(address: &str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("an address").to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let (address, counter) = (address.to_owned(), count.clone());
    thread::spawn(move || {
        for caller in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
            let caller = caller.expect("a connection");
            let front = TcpStream::connect(&address).expect("a connection to the front");
            for stream in [&caller, &front] {
                stream.set_nodelay(true).expect("no delay"); // Java sends head and body apart
            }
            let clone = |stream: &TcpStream| stream.try_clone().expect("a handle");
            for (mut from, mut to) in [(clone(&caller), clone(&front)), (front, caller)] {
                thread::spawn(move || {
                    let _ = copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    (own, count)
}

#[test]
fn the_http_client_of_java_makes_2000_checks() {
    if Command::new("javac").arg("-version").output().is_err() {
        skip!("there is no JDK here");
    }
    let front = Front::start(&[]);
    let (address, connections) = relay(front.address());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/clients/Checks.java");
    let output = Command::new("java")
        .arg(source)
        .args([&format!("http://{address}"), "2000"])
        .output()
        .expect("java");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(stdout, "0 failed\n", "{stderr}");
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections <= 4, "{connections} connections");
}
