//! `bench` from the command line, against a front that is mocked here.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use clap::Parser;
use serde_json::{Value, json};

use super::{BenchArgs, run};
use crate::error::ToolError;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: BenchArgs,
}

/// Runs `bench`. Returns whether every check was decided and the JSON, or the error.
async fn bench(args: &[&str], token: Option<&str>) -> Result<(bool, Value), String> {
    let line = CommandLine::try_parse_from([&["bench"], args].concat());
    let args = line.map_err(|error| error.to_string())?.args;
    let lookup = |name: &str| token.filter(|_| name == "RL_TOKEN").map(str::to_owned);
    let mut out = Vec::new();
    match run(&args, lookup, &mut out).await {
        Ok(is_success) => Ok((is_success, serde_json::from_slice(&out).unwrap_or(Value::Null))),
        Err(error @ ToolError::Usage(_)) => Err(format!("usage: {error}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a request: its head in lower case, and its body.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|length| *length > 0)?;
    }
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

/// Starts a front that answers each request with `answer` of its head and body: an HTTP response
/// without its version. Returns its URL.
fn mock_front(answer: impl Fn(&str, &str) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some((head, body)) = request(&mut reader) {
                    let response = format!("HTTP/1.1 {}", answer(&head, &body));
                    if reader.get_mut().write_all(response.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    url
}

fn ok(body: &str) -> String {
    format!("200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(flavor = "local")]
async fn invalid_command_lines_name_the_rule() {
    let long = "k".repeat(1024);
    for (args, expected) in [
        ("--capacity 1", "--refill <RATE>"),
        ("--refill 1", "--capacity <TOKENS>"),
        ("--rate 0", "rate must be at least 0.000000001"),
        ("--capacity 1 --rate 1", "--refill <RATE>"),
        ("--cost 1k", "cost must be 1 to 10 digits"),
        ("--duration 10d", "duration must be a whole number of ms, s (or nothing), m or h"),
        ("--connections 0", "0 is not in 1..=10000"),
        ("--keys 0", "0 is not in 1..=1000000000"),
        ("--batch 1001", "1001 is not in 1..=1000"),
        ("--skew 11", "skew must be a number from 0 to 10"),
        ("--pipeline 2", "--store <STORE>"),
        ("--engine lua", "--store <STORE>"),
        ("--server http://h --store redis://h", "cannot be used with"),
        ("--connections 1000 --batch 1000", "usage: --connections, --pipeline and --batch tog"),
        ("--server localhost", "usage: --server must be http://HOST"),
        ("--policy api --capacity 1 --refill 1", "usage: --policy cannot be combined with"),
        ("--store redis://h", "usage: --store needs --capacity and --refill"),
        ("--store memory --capacity 1 --refill 1", "usage: --store must be a Redis"),
        ("--store redis://h --policy x} --capacity 1 --refill 1", "usage: policy must be a name"),
        (&format!("--key-prefix {long}"), "usage: --key-prefix is too long"),
        (
            &format!("--keys 1 --batch 1000 --policy default --key-prefix {long:.1020}"),
            "usage: --batch is too large",
        ),
    ] {
        let error = bench(&args.split(' ').collect::<Vec<_>>(), None).await.unwrap_err();
        assert!(error.contains(expected), "{args}: {error}");
    }
}

#[tokio::test(flavor = "local")]
async fn requests_to_a_front() {
    for (more, path, body) in [
        ("", "/check", r#"{"key":"bench:0"}"#),
        ("--keys 1000 --seed 3 --policy api", "/check", r#"{"key":"bench:###","policy":"api"}"#),
        (
            "--capacity 10 --refill 100/m --cost 2.50 --key-prefix a\"b",
            "/check",
            r#"{"key":"a\"b0","cost":"2.5","capacity":"10","rate":"100/m"}"#,
        ),
        (
            "--keys 11 --batch 3",
            "/check/batch",
            r#"{"checks":[{"key":"bench:##"},{"key":"bench:##"},{"key":"bench:##"}]}"#,
        ),
    ] {
        let (sender, requests) = std::sync::mpsc::channel();
        let url = mock_front(move |head, body| {
            let _ = sender.send((head.to_owned(), body.to_owned()));
            let one = r#"{"allowed":true}"#;
            match head.contains(" /limits/check/batch ") {
                true => ok(&format!(r#"{{"results":[{one},{one},{one}]}}"#)),
                false => ok(one),
            }
        });
        let server = format!("{url}/limits/");
        let fixed = ["--server", &server, "--json", "--connections", "1", "--duration", "20ms"];
        let keys: &[_] = if more.contains("--keys") { &[] } else { &["--keys", "1"] };
        let more: Vec<_> = more.split(' ').filter(|word| !word.is_empty()).collect();
        let (is_success, json) =
            bench(&[&fixed, keys, &more].concat(), Some("t0ken")).await.unwrap();
        assert!(is_success, "{json}");

        let (head, _) = requests.recv().unwrap();
        assert!(head.starts_with("post /limits/peek http/1.1\r\n"), "first: {head}");
        let checks: Vec<_> = requests.try_iter().collect();
        assert_eq!(json["requests"], json!(checks.len()));
        let host = url.trim_start_matches("http://");
        for (head, sent) in checks {
            assert!(head.starts_with(&format!("post /limits{path} http/1.1\r\n")), "{head}");
            assert!(head.contains(&format!("\r\nhost: {host}\r\n")), "{head}");
            assert!(head.contains("\r\nauthorization: bearer t0ken\r\n"), "{head}");
            let matches = |(found, pattern): (char, char)| match pattern {
                '#' => found.is_ascii_digit(),
                _ => found == pattern,
            };
            assert_eq!(sent.len(), body.len());
            assert!(sent.chars().zip(body.chars()).all(matches), "{sent} {body}");
        }
    }
}

#[tokio::test(flavor = "local")]
async fn answers_and_errors_are_counted() {
    let unavailable = "503 X\r\ncontent-length: 0\r\n\r\n";
    let chunked =
        "200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"allowed\":true}\r\n0\r\n\r\n";
    let closing = "200 OK\r\nconnection: close\r\ncontent-length: 17\r\n\r\n{\"allowed\":false}";
    for (answer, expected, field, kind) in [
        (ok(r#"{"allowed":true}"#), true, "allowed", ""),
        (ok(r#"{"allowed":false,"degraded":true}"#), true, "degraded", ""),
        (chunked.to_owned(), true, "allowed", ""),
        (closing.to_owned(), true, "denied", ""),
        (ok("{}"), false, "errors", "an invalid answer"),
        (unavailable.to_owned(), false, "errors", "503 Service Unavailable"),
        ("200".to_owned() + &"x".repeat(100_000), false, "errors", "not an HTTP/1.1 response"),
    ] {
        let url = mock_front(move |head, _| match head.starts_with("post /peek") {
            true => ok(r#"{"allowed":true}"#),
            false => answer.clone(),
        });
        let args = ["--server", &url, "--json", "--connections", "2", "--duration", "30ms"];
        let (is_success, json) = bench(&args, None).await.unwrap();
        assert_eq!(is_success, expected, "{json}");
        let count = json[field].as_u64().unwrap();
        assert!(count > 0 && json["checks"] == json!(count), "{field}: {json}");
        if !kind.is_empty() {
            assert_eq!(json["errors_by_kind"], json!({kind: count}));
        }
    }
}

#[tokio::test(flavor = "local")]
async fn a_failed_probe_is_an_error() {
    let refused = bench(&["--server", "http://127.0.0.1:1"], None).await.unwrap_err();
    assert!(refused.starts_with("http://127.0.0.1:1: Connection refused"), "{refused}");
    let problem = r#"{"title":"Not Found","status":404,"detail":"no policy has this name"}"#;
    let kind = "content-type: application/problem+json";
    let answer = format!("404 X\r\n{kind}\r\ncontent-length: {}\r\n\r\n{problem}", problem.len());
    let moved = "308 X\r\nlocation: https://rl.example/peek\r\ncontent-length: 0\r\n\r\n";
    for (answer, expected) in [
        (answer, ": 404 Not Found: no policy has this name"),
        (moved.to_owned(), "redirects are not followed; this one leads to https://rl.example/peek"),
        (
            "401 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "(pass one with --token-file or RL_TOKEN)",
        ),
        (ok("<html>"), "invalid reply: is this the address of an rl-server?"),
        (String::new(), "not an HTTP/1.1 response"),
    ] {
        let url = mock_front(move |_, _| {
            answer.clone() + &"\u{1}".repeat(usize::from(answer.is_empty()))
        });
        let error = bench(&["--server", &url], None).await.unwrap_err();
        assert!(error.starts_with(&url) && error.contains(expected), "{error}");
    }
}
