//! Unix sockets, towards Redis and from callers.

mod edge;
mod listener;
mod store;
mod systemd;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rl_tests::{ChildProcess, server_path};
use serde_json::Value;
use tempfile::TempDir;

use crate::connections::{Connection, get, post};

const SOON: Duration = Duration::from_secs(20);

/// A front that listens on a Unix socket in a folder of its own.
pub(crate) struct UnixFront {
    process: ChildProcess,
    path: String,
    _folder: TempDir,
}

// === impl UnixFront ===

impl UnixFront {
    /// Starts a front with these arguments beside `--listen`, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = text(&folder.path().join("rl.sock"));
        let listen = format!("unix:{path}");
        let process = start(&[&["--listen", listen.as_str()], arguments].concat());
        Self { process, path, _folder: folder }
    }

    /// The path of the socket.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn connect(&self) -> Connection<UnixStream> {
        connect(&self.path)
    }

    /// The body of the response to `GET path`.
    pub(crate) fn text(&self, path: &str) -> String {
        exchange(&self.path, &get(path, "Connection: close\r\n")).1
    }

    fn check(&self, body: &str) -> Value {
        let (head, answer) = exchange(&self.path, &post("/check", "Connection: close\r\n", body));
        assert!(head.starts_with("http/1.1 200"), "{head}{answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn ready(&self) -> Value {
        serde_json::from_str(&self.text("/health/ready")).expect("JSON")
    }

    fn log(&self) -> String {
        self.process.output()
    }

    fn stop(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait(SOON)
    }
}

/// Starts a front, and waits for its start-up line.
fn start(arguments: &[&str]) -> ChildProcess {
    let process =
        ChildProcess::launch(Command::new(server_path()).args(arguments).env_remove("PORT"));
    process.wait_for_output("rl-server on ");
    process
}

fn connect(path: &str) -> Connection<UnixStream> {
    let stream = UnixStream::connect(path).expect("a connection to the front");
    stream.set_read_timeout(Some(SOON)).expect("a time limit");
    Connection(stream)
}

/// The head and the body of the response to a request that closes its connection.
fn exchange(path: &str, request: &str) -> (String, String) {
    let mut connection = connect(path);
    connection.send(request);
    let head = connection.head();
    let mut body = String::new();
    std::io::Read::read_to_string(&mut connection.0, &mut body).expect("a body");
    (head, body)
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
