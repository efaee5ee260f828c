//! The load on HTTP servers: wrk, with prebuilt requests.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::cpu::cpu_time;
use crate::sample::Sample;

/// Requests of one kind, on 64 connections.
#[derive(Clone, Debug)]
pub(crate) struct Wrk {
    method: &'static str,
    path: String,
    body: String,
    keys: u32,
    requests: u32,
    checks: u32,
}

/// The counts that our script prints.
#[derive(Debug, PartialEq, Eq)]
struct WrkResult {
    requests: u64,
    duration: Duration,
    /// Failures to connect, read and write, and timeouts.
    socket_errors: u64,
    /// Responses with a status of 400 or above.
    status_errors: u64,
}

const CONNECTIONS: &str = "64";

// === impl Wrk ===

impl Wrk {
    /// `POST path` with this body. `KEY` in the body stands for one of `keys` keys.
    pub(crate) fn post(path: &str, body: &str, keys: u32) -> Self {
        let (path, body) = (path.to_owned(), body.to_owned());
        Self { method: "POST", path, body, keys, requests: 100_000, checks: 1 }
    }

    /// `GET path`. `KEY` in the path stands for one of `keys` keys.
    pub(crate) fn get(path: &str, keys: u32) -> Self {
        Self { method: "GET", ..Self::post(path, "", keys) }
    }

    /// `POST /check` for one of `keys` keys.
    pub(crate) fn check(keys: u32) -> Self {
        Self::post("/check", r#"{"key":"KEY"}"#, keys)
    }

    /// `POST /check/batch` with this many checks.
    pub(crate) fn batch(checks: u32, keys: u32) -> Self {
        let body =
            format!(r#"{{"checks":[{}]}}"#, vec![r#"{"key":"KEY"}"#; checks as usize].join(","));
        Self { requests: 200, checks, ..Self::post("/check/batch", &body, keys) }
    }

    /// Runs the load for this many seconds; the checks a second, and the CPU time per check of the
    /// processes `servers`.
    #[track_caller]
    pub(crate) fn run(&self, address: &str, seconds: u64, servers: &[u32]) -> Sample {
        let mut script = NamedTempFile::with_suffix(".lua").expect("a temporary file");
        script.write_all(include_bytes!("wrk.lua")).expect("to write the script");
        let mut command = Command::new("wrk");
        command
            .args(["-t", "1", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--timeout", "20s"])
            .arg("-s")
            .arg(script.path())
            .arg(format!("http://{address}/"))
            .env("BENCH_KEYS", self.keys.to_string())
            .env("BENCH_REQUESTS", self.requests.to_string())
            .env("BENCH_METHOD", self.method)
            .env("BENCH_PATH", &self.path)
            .env("BENCH_BODY", &self.body);
        let cpu = cpu_time(servers);
        let output = command.output().expect("wrk to start: run scripts/bench");
        let cpu = cpu_time(servers).saturating_sub(cpu);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let result = WrkResult::parse(&stdout);
        let result = result.unwrap_or_else(|| panic!("wrk: {}\n{output:?}", output.status));
        assert_eq!(result.socket_errors, 0, "socket errors:\n{stdout}");
        assert_eq!(result.status_errors, 0, "error responses:\n{stdout}");
        let checks = result.requests as f64 * f64::from(self.checks);
        assert!(checks > 0.0, "no response:\n{stdout}");
        Sample::rate(checks, result.duration).with_cpu(cpu, checks)
    }
}

// === impl WrkResult ===

impl WrkResult {
    /// Reads the line that our script prints at the end.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("RESULT "))?;
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        let [requests, micros, connect, read, write, timeout, status_errors] = numbers.ok()?[..]
        else {
            return None;
        };
        let duration = Duration::from_micros(micros);
        let socket_errors = connect + read + write + timeout;
        Some(Self { requests, duration, socket_errors, status_errors })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::WrkResult;

    #[test]
    fn the_result_line_is_read() {
        let output = "Running 1s test @ http://127.0.0.1:1/\nRequests/sec:  9.0\n\
                      RESULT 900 1000001 1 2 3 4 5\n";
        let expected = WrkResult {
            requests: 900,
            duration: Duration::from_micros(1_000_001),
            socket_errors: 10,
            status_errors: 5,
        };
        assert_eq!(WrkResult::parse(output), Some(expected));
        for output in ["", "RESULT 1 2 3", "RESULT a b c d e f g", "unable to connect"] {
            assert_eq!(WrkResult::parse(output), None, "{output}");
        }
    }
}
