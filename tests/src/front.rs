//! An `rl-server` of one's own.

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

/// An HTTP answer: its status, headers and JSON body (null if it has none).
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Every header.
    pub headers: HeaderMap,
    /// `Content-Type`, or nothing.
    pub content_type: String,
    /// The body.
    pub body: Value,
}

// === impl Front ===

impl Front {
    /// Starts one with these arguments and waits until it is ready.
    pub fn start(arguments: &[&str]) -> Self {
        let front = Self::start_unready(arguments);
        eventually("the front is ready", Duration::from_secs(20), || {
            front.get("/health/ready").status == 200
        });
        front
    }

    /// Starts one and waits only for its start-up line.
    pub fn start_unready(arguments: &[&str]) -> Self {
        Self::start_with_env(&[], arguments)
    }

    /// The same, with these variables in its environment.
    pub fn start_with_env(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = Command::new(server_path());
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).env_remove("PORT");
        command.envs(environment.iter().copied());
        Self::launch(command)
    }

    /// Starts one as a platform does that gives nothing but `PORT`.
    pub fn start_on_port() -> Self {
        let mut command = Command::new(server_path());
        command.env("PORT", free_port().to_string());
        Self::launch(command)
    }

    /// Starts any program that prints `http://ADDRESS ` and serves there.
    pub fn launch(mut command: Command) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut process = Process::start(&mut command, log).expect("rl-server to start");
        let mut line = None;
        eventually("the front prints its start-up line or ends", Duration::from_secs(20), || {
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

    /// Runs `rl-server` with these arguments alone until it ends by itself, as a start that fails does.
    pub fn run(arguments: &[&str]) -> Output {
        Command::new(server_path())
            .args(arguments)
            .env_remove("PORT")
            .output()
            .expect("rl-server to start")
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `HOST:PORT` of its listener for operators, for which its start-up has a second line.
    #[track_caller]
    pub fn admin_address(&self) -> String {
        const LINE: &str = "rl-server for operators on http://";
        let mut address = None;
        eventually("the front prints a second line", Duration::from_secs(20), || {
            let log = self.log();
            // In full: the line break too.
            let line = log.split_inclusive('\n').find_map(|line| line.strip_prefix(LINE));
            address = line.and_then(|rest| rest.strip_suffix('\n')).map(str::to_owned);
            address.is_some()
        });
        address.expect("an address")
    }

    /// `GET path` at another address than its own: the status and the body as it is.
    pub fn get_text(&self, address: &str, path: &str) -> (u16, String) {
        let answer = self.agent.get(format!("http://{address}{path}")).call();
        let mut answer = answer.expect("an answer from the front");
        let text = answer.body_mut().read_to_string().expect("a body");
        (answer.status().as_u16(), text)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Memory that it holds, in MiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("its memory").trim().trim_end_matches(" kB");
        kib.parse::<u64>().expect("a number") / 1024
    }

    /// How many of its workers can ask Redis.
    pub fn links(&self) -> usize {
        self.metric(r#"rl_redis_links{state="closed"}"#) as usize
    }

    /// How many questions to Redis failed for this reason.
    pub fn redis_errors(&self, reason: &str) -> u64 {
        self.metric(&format!(r#"rl_redis_errors_total{{reason="{reason}"}}"#)) as u64
    }

    /// How many it sent and got no answer to that it could use.
    pub fn unanswered(&self) -> u64 {
        self.redis_errors("late") + self.redis_errors("failed")
    }

    fn metric(&self, series: &str) -> f64 {
        Scrape::parse(&self.text("/metrics")).value(series)
    }

    /// The line it printed when it started.
    pub fn start_line(&self) -> &str {
        &self.start_line
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "")
    }

    /// `GET path`, which must answer 200: its body as it is.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let (status, text) = self.get_text(&self.address, path);
        assert_eq!(status, 200, "GET {path}: {text}");
        text
    }

    /// `POST path` with this body and no content type.
    pub fn post(&self, path: &str, body: &str) -> Response {
        self.request("POST", path, &[], body)
    }

    /// `METHOD path` with these headers and this body.
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
        Response::of(self.agent.run(request))
    }

    /// `POST /check`, which must answer 200: its body.
    #[track_caller]
    pub fn check(&self, body: &str) -> Value {
        let answer = self.post("/check", body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        answer.body
    }

    /// Sends these bytes on a connection of their own and returns all that comes back until the other
    /// side closes, for requests that no client would make.
    pub fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.address).expect("a connection to the front");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        stream.write_all(request).expect("to send");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        answer
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        self.process.wait(within)
    }
}

// === impl Response ===

impl Response {
    fn of(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Self {
        let mut answer = answer.expect("an answer from the front");
        let content_type = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = answer.body_mut().read_to_string().expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, content_type, body }
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
