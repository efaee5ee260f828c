//! `scripts/smoke`: passes a front that works, and names the fault of anything else.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rl_tests::{Front, Setup, free_port};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{processes, run, script};

/// Runs it: its exit code and output.
fn smoke(address: &str, environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(script("smoke"));
    for name in ["RL_SMOKE_IDENTITY", "RL_SMOKE_TOKEN", "RL_SMOKE_PREFIX"] {
        command.env_remove(name);
    }
    run(command.arg(format!("http://{address}")).envs(environment.iter().copied()))
}

/// Runs it against a front that must pass: its output.
#[track_caller]
fn passes(address: &str, environment: &[(&str, &str)]) -> String {
    let (code, output) = smoke(address, environment);
    assert_eq!((code, output.contains("FAILED")), (0, false), "{output}");
    output
}

/// Runs it against an address that must fail, with all of these lines.
#[track_caller]
fn fails(address: &str, environment: &[(&str, &str)], lines: &[&str]) {
    let (code, output) = smoke(address, environment);
    assert_eq!(code, 1, "{output}");
    for line in lines {
        assert!(output.contains(line), "{line}: {output}");
    }
}

#[test]
fn a_front_passes() {
    let front =
        Front::start(&["--admin-listen", "127.0.0.1:0", "--capacity", "7", "--rate", "7/d"]);
    let output = passes(front.address(), &[]);
    // To a hundred seconds, as the machine may be busy.
    let denied = "ok       check: denied, 200 and Retry-After: 86";
    let cut = |line| if str::starts_with(line, denied) { denied } else { line };
    let lines: Vec<_> = output.lines().map(cut).collect();
    let last = "ok       check: 20 requests, median ";
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "ok       live",
            "ok       ready: engine memory, store up",
            "ok       check: allowed, 6 of 7 left",
            "ok       check: RateLimit: \"default\";r=6;t=12343",
            "ok       check: the other 6 allowed",
            denied,
            "ok       GET /check: 429",
            "ok       unknown policy: 404",
            "ok       malformed: 400",
            "ok       /metrics: not here",
            "ok       /admin/denied: not here",
        ]
    );
    assert!(lines[11].starts_with(last) && lines[11].ends_with(" ms"), "{output}");
}

#[test]
fn over_redis_it_says_which_engine() {
    for (redis, engine) in
        [(Setup::with_module().start(), "module"), (Setup::plain().start(), "lua")]
    {
        let front = Front::start(&["--store", &redis.url(), "--deadline-ms", "10000"]);
        let output = passes(front.address(), &[]);
        assert!(output.contains(&format!("ready: engine {engine}, store up")), "{output}");
        // No fault, if only operators can reach it.
        assert!(output.contains("warning  /metrics is served here"), "{output}");
    }
}

#[test]
fn without_redis_it_fails() {
    let store = format!("redis://127.0.0.1:{}", free_port());
    let front = Front::start_unready(&["--store", &store]);
    fails(
        front.address(),
        &[],
        &[
            "FAILED   ready: expected 200",
            "\"store\":\"down\"",
            "FAILED   check: decided by the store: expected no \"degraded\":true, \
             got 200 {\"allowed\":true",
        ],
    );
}

#[test]
fn policies_of_all_kinds() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("policies.toml");
    for (policy, line) in [
        ("capacity = 1\nrate = '1/d'", "ok       check: denied, 200 and Retry-After: 86"),
        (
            "capacity = 1\nrate = 1000000",
            "warning  check: no denial seen, as the bucket is full again in ",
        ),
        (
            "capacity = 3\nrate = '3/d'\nmode = 'shadow'",
            "ok       check: allowed in shadow mode, would be denied",
        ),
        ("capacity = 1000000000\nrate = '1/d'", "ok       GET /check: 429"),
        (
            "limits = [{ name = 'a', capacity = 9, rate = '9/d' },
             { name = 'b', capacity = 4, rate = '4/m' }]",
            "ok       check: the other 3 allowed",
        ),
    ] {
        fs::write(&file, format!("[policies.default]\n{policy}\n")).unwrap();
        let front = Front::start(&["--config", file.to_str().unwrap()]);
        let output = passes(front.address(), &[]);
        assert!(output.contains(line), "{policy}: {output}");
    }
}

#[test]
fn tokens_open_what_they_are_for() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tokens.toml");
    let hash: String = Sha256::digest("a-token").iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(
        "[[tokens]]\nname = \"t\"\nsha256 = \"{hash}\"\nrole = \"check\"\nprefix = \"mine:\"\n"
    );
    fs::write(&file, text).unwrap();
    let front = Front::start(&["--tokens", file.to_str().unwrap()]);
    let (address, token) = (front.address(), ("RL_SMOKE_TOKEN", "a-token"));
    let output = passes(address, &[token, ("RL_SMOKE_PREFIX", "mine:")]);
    assert!(output.contains("ok       GET /check: 429"), "{output}");
    fails(address, &[], &["FAILED   check: ", "got 401 ", "given: none"]);
    fails(address, &[("RL_SMOKE_TOKEN", "other")], &["got 401 ", "given: RL_SMOKE_TOKEN)"]);
    fails(address, &[token], &["FAILED   check: ", "got 403 ", "keys with its prefix"]);
}

#[test]
fn other_servers_are_told_from_a_front() {
    for (answer, line) in [
        (
            "HTTP/1.1 200 OK\r\n\r\nhello",
            "FAILED   live: expected 200, \"status\":\"live\", got 200 hello",
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n<html>", "got 404 <html> (not an RL front; "),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://x.test/\r\n\r\n",
            "got 302  (to https://x.test/)",
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "Cloud Run needs RL_SMOKE_IDENTITY"),
        ("\x1b[31mred\r\n", "got curl: "),
        ("HTTP/1.1 200 OK\r\n\r\n\x1b[31mred\x07", "got 200  [31mred "),
    ] {
        fails(&serve(move |_| answer.to_owned()), &[], &[line]);
    }
    let nobody = format!("127.0.0.1:{}", free_port());
    fails(&nobody, &[], &["FAILED   live: expected 200, \"status\":\"live\", got curl: (7) "]);
}

#[test]
fn answers_are_never_run() {
    let folder = TempDir::new().unwrap();
    let trace = folder.path().join("trace");
    // In arithmetic, bash runs a command substitution in an index.
    let value = format!("a[$(touch {})]", trace.to_str().unwrap());
    let address = serve(move |request| {
        let (allowed, wait) = if request.contains("\"cost\":5,") { (false, 5) } else { (true, 0) };
        let decision = format!(r#""allowed":{allowed},"remaining":4,"retry_after_ms":{wait}"#);
        let body = format!(
            r#"{{"status":"live","store":"up",{decision},"limit":5,"reset_after_ms":9999}}"#
        );
        format!("HTTP/1.1 200 OK\r\nRetry-After: {value}\r\nRateLimit: {value}\r\n\r\n{body}")
    });
    let (code, output) = smoke(&address, &[]);
    assert_eq!((code, trace.exists()), (1, false), "{output}");
    assert!(output.contains("FAILED   check: empty: "), "{output}");
}

#[test]
fn secrets_are_for_the_server_alone() {
    const SECRETS: [&str; 2] = ["identity-of-somebody", "token-of-somebody"];
    let (leaked, heads) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(String::new())));
    let (leaks, requests) = (Arc::clone(&leaked), Arc::clone(&heads));
    let address = serve(move |request| {
        *requests.lock().unwrap() += request;
        // Meanwhile curl waits for this answer.
        for (id, _, command) in processes() {
            let inherited = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            let inherited = String::from_utf8_lossy(&inherited).into_owned();
            let curl = command.starts_with("curl ");
            if SECRETS.iter().any(|it| command.contains(it) || (curl && inherited.contains(it))) {
                leaks.lock().unwrap().push(command);
            }
        }
        "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"live\"}".to_owned()
    });
    let environment = [("RL_SMOKE_IDENTITY", SECRETS[0]), ("RL_SMOKE_TOKEN", SECRETS[1])];
    let (code, output) = smoke(&address, &environment);
    assert_eq!(code, 1, "{output}");
    assert!(!SECRETS.iter().any(|it| output.contains(it)), "{output}");
    assert_eq!(*leaked.lock().unwrap(), Vec::<String>::new());
    let heads = heads.lock().unwrap();
    let requests = heads.matches(" HTTP/1.1").count();
    assert!(requests > 5, "{heads}");
    for header in
        ["X-Serverless-Authorization: Bearer identity-of-", "\nAuthorization: Bearer token-of-"]
    {
        assert_eq!(heads.matches(header).count(), requests, "{header}: {heads}");
    }
}

#[test]
fn it_needs_an_address() {
    for arguments in [&[][..], &["localhost:80"], &["http://a", "http://b"], &["http://a/check"]] {
        let (code, output) = run(Command::new(script("smoke")).args(arguments));
        assert_eq!((code, output.starts_with("usage: ")), (2, true), "{output}");
    }
}

/// An HTTP server that answers each request on its own connection, with the text of `how`.
fn serve(how: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).unwrap_or(0);
            let _ = stream.write_all(how(&String::from_utf8_lossy(&bytes[..length])).as_bytes());
        }
    });
    address
}
