//! The examples of `docs/commands.md` and `docs/front.md`, run as they stand.

use std::fs;
use std::process::Command;

use redis::Value;
use rl_tests::{Flavour, Front, RedisServer, Setup, skip};
use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/commands.md");
const FRONT: &str = include_str!("../../docs/front.md");
const START: u64 = 1_700_000_000_000_000;

/// A reply as redis-cli prints it.
fn printed(reply: &Value) -> String {
    match reply {
        Value::Int(n) => format!("(integer) {n}"),
        Value::Okay => "OK".to_owned(),
        Value::Array(items) => {
            let width = items.len().to_string().len();
            let lines = items.iter().enumerate();
            let lines: Vec<_> =
                lines.map(|(i, item)| format!("{:>width$}) {}", i + 1, printed(item))).collect();
            lines.join("\n")
        }
        other => panic!("no example prints {other:?}"),
    }
}

fn run(server: &RedisServer, command: &str) -> String {
    match server.try_run::<Value>(command) {
        Ok(reply) => printed(&reply),
        Err(_) => format!("(error) {}", server.refusal(command)),
    }
}

#[test]
fn the_examples_of_the_commands_are_true() {
    if Flavour::under_test().is_valkey {
        skip!("Valkey's clock cannot be stopped, and the examples are exact to the millisecond");
    }
    let server = Setup::with_module().with_clock().start();
    let mut commands = 0;
    for session in PAGE.split("```redis\n").skip(1) {
        let (session, _) = session.split_once("```").expect("an end");
        server.run::<()>("FLUSHALL");
        let mut now = START;
        server.freeze(now);
        let mut replayed = String::new();
        for line in session.lines() {
            if let Some(command) = line.strip_prefix("> ") {
                replayed += &format!("{line}\n{}\n", run(&server, command));
                commands += 1;
            } else if let Some(pause) = line.strip_prefix("# ") {
                let ms = pause.strip_suffix(" ms later").expect("a pause");
                now += ms.parse::<u64>().expect("milliseconds") * 1000;
                server.freeze(now);
                replayed += &format!("{line}\n");
            }
        }
        assert_eq!(replayed, session);
    }
    assert!(commands >= 20, "{commands} examples");
}

/// The code blocks of a page in this language.
fn blocks(page: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let parts = page.match_indices(&fence).map(|(at, fence)| &page[at + fence.len()..]);
    parts.map(|rest| rest.split_once("```").expect("an end").0).collect()
}

/// Replaces milliseconds by `N`, as the clock of a front cannot be stopped.
fn timeless(text: &str) -> String {
    let (first, rest) = text.split_once("_ms\":").unwrap_or((text, ""));
    if rest.is_empty() {
        return first.to_owned();
    }
    let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{first}_ms\":N{}", timeless(rest))
}

#[test]
fn the_examples_of_the_front_are_true() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("to write");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let [policies, tokens] = blocks(FRONT, "toml")[..] else { panic!("policies, then tokens") };
    let front = Front::start(&["--config", &file("policies.toml", policies)]);
    let mut examples = 0;
    for session in blocks(FRONT, "console") {
        let mut lines = session.lines();
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").expect("a command");
            let command = command.replace("127.0.0.1:8080", front.address());
            let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
            let answer = String::from_utf8_lossy(&output.stdout);
            assert_eq!(timeless(&answer), timeless(lines.next().expect("an answer")), "{line}");
            examples += 1;
        }
    }
    assert!(examples >= 8, "{examples} examples");
    // The token file is valid as it stands: requests need a token.
    let front = Front::start(&["--tokens", &file("tokens.toml", tokens)]);
    assert_eq!(front.post("/check", r#"{"key":"k"}"#).status, 401);
}
