//! `check`, `peek` and `reset` from the command line, against a front that is mocked here.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpListener,
    thread::{self, JoinHandle},
};

use clap::Parser;

use crate::ClientCommand;

#[derive(Parser)]
#[command(name = "rl-server")]
struct CommandLine {
    #[command(subcommand)]
    command: ClientCommand,
}

/// A front that gives a fixed response to one request, and keeps the request.
struct MockFront {
    url: String,
    thread: JoinHandle<String>,
}

impl MockFront {
    fn new(status: &str, kind: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let response = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                reader.read_line(&mut request).unwrap();
            }
            let lower = request.to_ascii_lowercase();
            let length = lower.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(response.as_bytes()).unwrap();
            request + std::str::from_utf8(&body).unwrap()
        });
        Self { url, thread }
    }

    fn json(body: &str) -> Self {
        Self::new("200 OK", "application/json", body)
    }

    fn request(self) -> String {
        self.thread.join().unwrap()
    }
}

/// Runs a command line. Returns the exit code, and the text on stdout or else on stderr.
async fn run(args: &[&str], variables: &[(&str, &str)]) -> (u8, String) {
    let line = match CommandLine::try_parse_from([&["rl-server"], args].concat()) {
        Ok(line) => line,
        Err(error) => return (u8::try_from(error.exit_code()).unwrap(), error.to_string()),
    };
    let lookup = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let mut out = Vec::new();
    match line.command.run(lookup, &mut out).await {
        Ok(code) => (code, String::from_utf8(out).unwrap()),
        Err(error) => (error.exit_code(), error.to_string()),
    }
}

const ALLOWED: &str =
    r#"{"allowed":true,"limit":100,"remaining":99,"retry_after_ms":0,"reset_after_ms":600}"#;
const DENIED: &str =
    r#"{"allowed":false,"limit":100,"remaining":0,"retry_after_ms":600,"reset_after_ms":60000}"#;
/// Nothing listens on port 1.
const UNREACHABLE: &str = "redis://:hunter2@127.0.0.1:1";

#[tokio::test(flavor = "local")]
async fn invalid_command_lines_name_the_rule() {
    for (args, expected) in [
        ("check", "required arguments were not provided"),
        ("check a b", "unexpected argument 'b'"),
        ("check k --capacity 1", "--rate <RATE>"),
        ("check k --rate 1", "--capacity <TOKENS>"),
        ("check k --cost 1k", "cost must be 1 to 10 digits"),
        ("check k --capacity 0 --rate 1", "capacity must be above 0"),
        ("peek k --capacity 1 --rate 1/w", "rate must be 1 to 10 digits"),
        ("check k --policy api --capacity 1 --rate 1", "--policy cannot be combined with"),
        ("check k --server localhost", "--server must be http://HOST"),
        ("check k --server http://h --store redis://h", "cannot be used with"),
        ("check k --token-file f --store redis://h", "cannot be used with"),
        ("check k --token-file /no/such/file", "--token-file /no/such/file: No such file"),
        ("check k --engine lua", "--store <STORE>"),
        ("check k --raw", "--store <STORE>"),
        ("check k --store redis://h --raw --policy api", "cannot be used with"),
        ("check k --store redis://h --engine wasm", "[possible values: auto, module, lua]"),
        ("check k --store redis://h", "--store needs --capacity and --rate"),
        ("check k --store memory --capacity 1 --rate 1", "--store must be a Redis"),
        ("reset k --store env", "--store env needs an address in RL_STORE"),
        ("reset k --policy x} --store redis://h", "policy must be a name"),
        ("reset k --cost 1", "unexpected argument '--cost'"),
    ] {
        let (code, text) = run(&args.split(' ').collect::<Vec<_>>(), &[]).await;
        assert_eq!(code, 2, "{args}: {text}");
        assert!(text.contains(expected), "{args}: {text}");
    }
    for (variables, expected) in [
        ([("RL_SERVER", "localhost")], "--server must be"),
        ([("RL_TOKEN", "hunter2 \u{1b}")], "the token must be"),
    ] {
        let (code, text) = run(&["check", "k"], &variables).await;
        assert!(code == 2 && text.contains(expected) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "local")]
async fn answers_are_text_or_json() {
    let denied = "denied    0 of 100 left, retry in 600 ms, full again in 60 s\n";
    let shadow = ALLOWED.replace('}', r#","would_deny":true}"#);
    for (command, answer, code, expected) in [
        ("check", ALLOWED, 0, "allowed   99 of 100 left, full again in 600 ms\n"),
        ("check", DENIED, 1, denied),
        ("peek", DENIED, 1, denied),
        ("check", &shadow, 0, "allowed   99 of 100 left, full again in 600 ms (shadow mode"),
        ("reset", r#"{"reset":0}"#, 0, "reset     nothing"),
        ("reset", r#"{"reset":1}"#, 0, "reset     1 bucket, full"),
        ("reset", r#"{"reset":2}"#, 0, "reset     2 buckets, full"),
    ] {
        let front = MockFront::json(answer);
        let (exit, text) = run(&[command, "k", "--server", &front.url], &[]).await;
        assert_eq!(exit, code, "{text}");
        assert!(text.starts_with(expected), "{text}");

        // With --json the front's answer is printed unchanged, on one line.
        let front = MockFront::json(&answer.replace(',', ",\n"));
        let (exit, text) = run(&[command, "k", "--json", "--server", &front.url], &[]).await;
        assert_eq!((exit, text), (code, format!("{answer}\n")));
    }
}

#[tokio::test(flavor = "local")]
async fn requests_to_a_front() {
    let token = ("RL_TOKEN", " hunter2\n");
    for (args, variables, line, body) in [
        (&["check", "k"][..], &[][..], "POST /check ", r#"{"key":"k"}"#),
        (&["peek", "k", "--cost", "2.50"], &[], "POST /peek ", r#"{"key":"k","cost":"2.5"}"#),
        (
            &["check", "k", "--capacity", "10", "--rate", "100/m"],
            &[token],
            "POST /check ",
            r#"{"key":"k","capacity":"10","rate":"100/m"}"#,
        ),
        (
            &["reset", "a\"b", "--policy", "api"],
            &[token],
            "POST /reset ",
            r#"{"key":"a\"b","policy":"api"}"#,
        ),
    ] {
        let front = MockFront::json(if args[0] == "reset" { r#"{"reset":1}"# } else { ALLOWED });
        let server = [("RL_SERVER", front.url.as_str())];
        let (code, text) = run(args, &[variables, &server].concat()).await;
        assert_eq!(code, 0, "{text}");
        let request = front.request();
        assert!(request.starts_with(line), "{request}");
        assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{request}");
        let is_authorized = request.contains("authorization: Bearer hunter2\r\n");
        assert_eq!(is_authorized, variables.contains(&token), "{request}");
    }
}

#[tokio::test(flavor = "local")]
async fn responses_that_are_not_answers_are_errors() {
    let problem = "application/problem+json";
    let rule = r#"{"title":"Unprocessable Entity","status":422,"detail":"key must be\u001b[2J"}"#;
    let unauthorized = r#"{"title":"Unauthorized","status":401,"detail":"a valid token"}"#;
    for (status, kind, body, variables, expected) in [
        ("422 X", problem, rule, &[][..], ": 422 Unprocessable Entity: key must be\u{fffd}[2J"),
        (
            "401 X",
            problem,
            unauthorized,
            &[],
            "a valid token (pass one with --token-file or RL_TOKEN)",
        ),
        (
            "401 X",
            problem,
            unauthorized,
            &[("RL_TOKEN", "hunter2")],
            "401 Unauthorized: a valid token",
        ),
        ("502 X", "text/html", "<html>", &[], ": 502 Bad Gateway, not from an rl-server"),
        ("429 X", "text/html", ALLOWED, &[], ": 429 Too Many Requests, not from an rl-server"),
        ("200 OK", "text/html", "<html>", &[], "invalid reply: is this"),
        ("200 OK", "application/json", r#"{"allowed":true}"#, &[], "invalid reply: is this"),
        ("200 OK", "application/json", r#"{"reset":1}"#, &[], "invalid reply: is this"),
    ] {
        let front = MockFront::new(status, kind, body);
        let (code, text) = run(&["check", "k", "--server", &front.url], variables).await;
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("hunter2") && !text.contains('\u{1b}'), "{text}");
    }
    let front = MockFront::json(ALLOWED);
    assert_eq!(run(&["reset", "k", "--server", &front.url], &[]).await.0, 3);
}

#[tokio::test(flavor = "local")]
async fn refused_connections_are_errors() {
    let (code, text) = run(&["check", "k", "--server", "http://127.0.0.1:1"], &[]).await;
    assert_eq!(code, 3);
    assert!(text.starts_with("http://127.0.0.1:1: Connection refused"), "{text}");
    // With --store, variables for a front are ignored.
    let front = [("RL_SERVER", "http://127.0.0.1:2"), ("RL_TOKEN", "t"), ("RL_STORE", UNREACHABLE)];
    for store in [UNREACHABLE, "env"] {
        let (code, text) = run(&["reset", "k", "--store", store], &front).await;
        assert_eq!(code, 3);
        assert!(text.starts_with("cannot use redis://127.0.0.1:1: Connection refused"), "{text}");
    }
}

#[tokio::test(flavor = "local")]
async fn a_result_that_cannot_be_written_is_an_error() {
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let front = MockFront::json(ALLOWED);
    let line =
        CommandLine::try_parse_from(["rl-server", "check", "k", "--server", &front.url]).unwrap();
    let error = line.command.run(|_| None, &mut Full).await.unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().starts_with("cannot write the result of"), "{error}");
}
