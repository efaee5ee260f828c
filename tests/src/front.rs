//! A front, `rl-server`, that a test owns.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use crate::artefacts::server_path;
use crate::process::{Process, eventually, free_port};
use crate::scrape::Scrape;

/// A running `rl-server` on a free port, killed when dropped.
pub struct Front {
    process: Process,
    agent: Agent,
    address: String,
    start_line: String,
    _folder: TempDir,
}

/// An HTTP response: status, headers and JSON body (null if there is none).
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The value of `Content-Type`; empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Value,
}

// === impl Front ===

impl Front {
    /// Starts a front with these arguments and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let front = Self::start_unready(arguments);
        front.wait_until_ready();
        front
    }

    /// Waits until the front is ready.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        eventually("the front is ready", Duration::from_secs(20), || {
            self.get("/health/ready").status == 200
        });
    }

    /// Starts a front and waits only for its start-up line.
    pub fn start_unready(arguments: &[&str]) -> Self {
        Self::start_with_env(&[], arguments)
    }

    /// Starts a front with these environment variables and waits only for its start-up line.
    pub fn start_with_env(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = Command::new(server_path());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).env_remove("PORT");
        command.envs(environment.iter().copied());
        Self::launch(command)
    }

    /// Starts a front the way a platform does that sets only `PORT`.
    pub fn start_on_port() -> Self {
        let mut command = Command::new(server_path());
        command.env("PORT", free_port().to_string());
        Self::launch(command)
    }

    /// Starts any program that prints `http://ADDRESS ` and listens there.
    pub fn launch(mut command: Command) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut process = Process::start(&mut command, log).expect("rl-server to start");
        let mut line = None;
        eventually("the front prints its start-up line or exits", Duration::from_secs(20), || {
            line = process.log().lines().find(|line| line.contains("http://")).map(str::to_owned);
            line.is_some() || process.has_ended()
        });
        let start_line = line.unwrap_or_default();
        let address = start_line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_once(' '))
            .map(|(address, _)| address.to_owned())
            .expect("an address in the start-up line");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .new_agent();
        Self { process, agent, address, start_line, _folder: folder }
    }

    /// Runs `rl-server` with exactly these arguments until it exits by itself, as a start that
    /// fails does.
    pub fn run(arguments: &[&str]) -> Output {
        Command::new(server_path())
            .args(arguments)
            .env_remove("PORT")
            .output()
            .expect("rl-server to start")
    }

    /// The address it listens on, `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of the admin listener, `HOST:PORT`, from the second line of the start-up output.
    #[track_caller]
    pub fn admin_address(&self) -> String {
        const PREFIX: &str = "rl-server for operators on http://";
        let mut address = None;
        eventually("the front prints a second line", Duration::from_secs(20), || {
            let log = self.log();
            // The line is complete once its line break is there.
            let line = log.split_inclusive('\n').find_map(|line| line.strip_prefix(PREFIX));
            address = line.and_then(|rest| rest.strip_suffix('\n')).map(str::to_owned);
            address.is_some()
        });
        address.expect("an address")
    }

    /// Sends `GET path` to an address that may differ from this front's, and returns the status and
    /// the body as text.
    pub fn get_text(&self, address: &str, path: &str) -> (u16, String) {
        let response = self.agent.get(format!("http://{address}{path}")).call();
        let mut response = response.expect("a response from the front");
        let text = response.body_mut().read_to_string().expect("a body");
        (response.status().as_u16(), text)
    }

    /// The front's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The front's resident memory, in MiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the status of a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("a line VmRSS").trim().trim_end_matches(" kB");
        kib.parse::<u64>().expect("a number") / 1024
    }

    /// The number of workers that can reach Redis.
    pub fn links(&self) -> usize {
        self.metric(r#"rl_redis_links{state="closed"}"#) as usize
    }

    /// The number of Redis requests that failed for this reason.
    pub fn redis_errors(&self, reason: &str) -> u64 {
        self.metric(&format!(r#"rl_redis_errors_total{{reason="{reason}"}}"#)) as u64
    }

    /// The number of Redis requests that were sent and got no usable reply.
    pub fn unanswered(&self) -> u64 {
        self.redis_errors("late") + self.redis_errors("failed")
    }

    /// The value of a series of `/metrics`.
    pub fn metric(&self, series: &str) -> f64 {
        Scrape::parse(&self.text("/metrics")).value(series)
    }

    /// The start-up line.
    pub fn start_line(&self) -> &str {
        &self.start_line
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Sends `GET path`.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    /// Sends `GET path`, asserts status 200, and returns the body as text.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let (status, text) = self.get_text(&self.address, path);
        assert_eq!(status, 200, "GET {path}: {text}");
        text
    }

    /// Sends `POST path` with this body and no content type.
    pub fn post(&self, path: &str, body: &str) -> Response {
        self.request("POST", path, &[], body)
    }

    /// Sends `METHOD path` with these headers and this body.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).expect("a request");
        Response::read(self.agent.run(request))
    }

    /// Sends `POST /check`, asserts status 200, and returns the body.
    #[track_caller]
    pub fn check(&self, body: &str) -> Value {
        let response = self.post("/check", body);
        assert_eq!(response.status, 200, "{body}: {}", response.body);
        response.body
    }

    /// Sends these bytes on a new connection and returns everything that comes back until the front
    /// closes it, for requests that no client would send.
    pub fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).expect("a connection to the front");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        stream.write_all(request).expect("to send");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("a response");
        response
    }

    /// Sends the front a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for the front to exit by itself.
    #[track_caller]
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        self.process.wait(timeout)
    }
}

// === impl Response ===

impl Response {
    fn read(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Self {
        let mut response = response.expect("a response from the front");
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = response.body_mut().read_to_string().expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, content_type, body }
    }

    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
