//! Starting, readiness, draining.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::{Front, eventually};
use serde_json::json;

#[test]
fn the_start_up_line_is_a_curl_to_try() {
    let front = Front::start(&[]);
    let (_, curl) = front.start_line().split_once("Try: ").expect("a command to try");
    let output = Command::new("sh").args(["-c", curl]).output().expect("a shell");
    let body: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(body["allowed"], json!(true), "{curl}");
}

#[test]
fn the_start_up_line_names_the_page() {
    let front = Front::start(&[]);
    let line = front.start_line();
    assert!(line.contains(&format!(" Docs: http://{}/docs. ", front.address())), "{line}");
}

#[test]
fn health_names_engine_and_store() {
    let front = Front::start(&[]);
    assert_eq!(front.get("/health/live").status, 200);
    let ready = front.get("/health/ready");
    assert_eq!(ready.status, 200);
    assert_eq!((&ready.body["engine"], &ready.body["store"]), (&json!("memory"), &json!("up")));
}

#[test]
fn a_front_told_to_stop_drops_nobody() {
    let mut front = Front::start(&[]);
    let served = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) && front.get("/health/ready").status == 200
                    {
                        // After a 200 from readiness, the next request is always served.
                        front.check(r#"{"key":"k"}"#);
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        eventually("traffic flows", Duration::from_secs(10), || {
            served.load(Ordering::Relaxed) > 100
        });
        front.signal("TERM");
        // Readiness answers 503 while the front drains, and the callers stop.
        for caller in callers {
            caller.join().expect("no request is dropped");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let signalled = Instant::now();
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_front_that_cannot_start_names_the_cause() {
    for (arguments, code, text) in [
        (&["--capacity", "0"][..], 2, "capacity must be"),
        (&["--rate", "fast"], 2, "rate must be"),
        (&["--store", "http://example.test"], 2, "store"),
        (&["--engine", "wasm"], 2, "engine"),
        (&["--deadline-ms", "0"], 2, "deadline"),
        (&["--no-such-flag"], 2, "no-such-flag"),
        (&["--listen", "127.0.0.1:1:2"], 1, "listen"),
    ] {
        let output = Front::run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
    let taken = Front::start(&[]);
    let output = Front::run(&["--listen", taken.address()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let failures = stderr.lines().filter(|line| line.contains("cannot listen"));
    assert_eq!(failures.count(), 1, "{stderr}");
}

#[test]
fn every_flag_is_an_environment_variable() {
    let help = Front::run(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    for flag in [
        "--listen",
        "--admin-listen",
        "--store",
        "--engine",
        "--config",
        "--tokens",
        "--key-secret-file",
        "--capacity",
        "--rate",
        "--deadline-ms",
        "--workers",
        "--keep-alive-s",
        "--log-format",
    ] {
        assert!(help.contains(flag), "{help}");
        let variable = format!("RL_{}", flag[2..].replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable}: {help}");
    }
}

#[test]
fn a_port_alone_means_every_address() {
    let front = Front::start_on_port();
    assert!(front.start_line().contains("http://0.0.0.0:"), "{}", front.start_line());
    let (_, curl) = front.start_line().split_once("Try: ").expect("a command to try");
    assert!(curl.contains("http://127.0.0.1:"), "{curl}");
    assert_eq!(front.check(r#"{"key":"k"}"#)["allowed"], json!(true));
}

/// The request of a client that keeps its connection.
fn check(body: &str) -> String {
    let len = body.len();
    format!("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{body}")
}

#[test]
fn pipelined_clients_get_exactly_the_tokens_of_the_bucket() {
    let front = Front::start(&[]);
    let request = check(r#"{"key":"k","capacity":500,"rate":"1/d"}"#);
    let allowed: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(front.address());
                    client.send(&request.repeat(16));
                    (0..16).filter(|_| client.answer().contains(r#""allowed":true"#)).count()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().expect("answers")).sum()
    });
    assert_eq!(allowed, 500);
}

#[test]
fn kept_connections_are_announced_to_close_before_they_close() {
    let mut front = Front::start(&[]);
    let served = AtomicUsize::new(0);
    let request = check(r#"{"key":"k"}"#);
    let mut signalled = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(front.address());
                    loop {
                        // Every request is answered, until an answer announces the end.
                        client.send(&request);
                        let answer = client.answer();
                        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                        served.fetch_add(1, Ordering::Relaxed);
                        if answer.to_lowercase().contains("connection: close") {
                            return;
                        }
                    }
                })
            })
            .collect();
        eventually("traffic flows", Duration::from_secs(10), || {
            served.load(Ordering::Relaxed) > 1000
        });
        front.signal("TERM");
        signalled = Instant::now();
        for client in clients {
            client.join().expect("no request is dropped");
        }
    });
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(8));
}

#[test]
fn idle_and_stuck_clients_do_not_delay_the_end() {
    let mut front = Front::start(&[]);
    let mut idle = Client::connect(front.address());
    idle.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(idle.answer().starts_with("HTTP/1.1 200"));
    let mut half_head = Client::connect(front.address());
    half_head.send("POST /check HTTP/1.1\r\nHost:");
    let mut half_body = Client::connect(front.address());
    half_body.send("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{");
    let _silent = Client::connect(front.address());
    front.signal("TERM");
    let signalled = Instant::now();
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(signalled.elapsed() < Duration::from_secs(8));
}

/// An HTTP/1.1 client that keeps its connection.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection to the front");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        Self { stream, read: Vec::new() }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("to send");
    }

    /// The next answer, head and body.
    #[track_caller]
    fn answer(&mut self) -> String {
        loop {
            if let Some(len) = self.complete() {
                return String::from_utf8(self.read.drain(..len).collect()).expect("UTF-8");
            }
            let mut more = [0; 4096];
            let len = self.stream.read(&mut more).expect("an answer");
            assert_ne!(len, 0, "the connection was closed during a request");
            self.read.extend(&more[..len]);
        }
    }

    /// The length of the first answer, once it is complete.
    fn complete(&self) -> Option<usize> {
        let text = std::str::from_utf8(&self.read).ok()?;
        let (head, _) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
        });
        let whole =
            head.len() + 4 + length.map_or(0, |len| len.parse::<usize>().expect("a length"));
        (self.read.len() >= whole).then_some(whole)
    }
}
