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
        self.post("/check", &request.body());
    }

    /// Reads the answer to the check that was sent.
    pub fn answer(&mut self) -> Value {
        serde_json::from_slice(&self.body()).expect("JSON")
    }

    /// Sends a request with this body.
    pub fn post(&mut self, path: &str, body: &str) {
        let head = format!("POST {path} HTTP/1.1\r\nHost: rl\r\nContent-Length: {}", body.len());
        let request = format!("{head}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).expect("to send a request");
    }

    /// Reads the body of the response to the request that was sent.
    pub fn body(&mut self) -> Vec<u8> {
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
        body
    }
}
