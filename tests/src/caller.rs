//! A caller that need not wait for the answer to a check before others send theirs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::{CheckRequest, Front};

/// A connection to a front that makes one check after the other.
pub struct Caller(BufReader<TcpStream>);

const TIMEOUT: Duration = Duration::from_secs(30);

impl Caller {
    /// Connects to a front.
    pub fn of(front: &Front) -> Self {
        let stream = TcpStream::connect(front.address()).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// Sends a check.
    pub fn send(&mut self, request: &CheckRequest) {
        let body = request.body();
        let head = format!("POST /check HTTP/1.1\r\nHost: rl\r\nContent-Length: {}", body.len());
        let request = format!("{head}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).expect("to send a check");
    }

    /// Reads the answer to the check that was sent.
    pub fn answer(&mut self) -> Value {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("an answer") > 0, "the front hung up");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }
}
