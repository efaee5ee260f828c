//! The examples of `docs/commands.md`, run as they stand.

use redis::Value;
use rl_tests::{Flavour, RedisServer, Setup};

const PAGE: &str = include_str!("../../docs/commands.md");
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
fn the_examples_are_true() {
    if Flavour::under_test().valkey {
        return; // its clock cannot be stopped: the examples are exact to the millisecond
    }
    let server = Setup::with_module().with_clock().start();
    let mut commands = 0;
    for session in PAGE.split("```redis\n").skip(1) {
        let (session, _) = session.split_once("```").expect("an end");
        server.run::<()>("FLUSHALL");
        let mut now = START;
        server.freeze(now);
        let mut said = String::new();
        for line in session.lines() {
            if let Some(command) = line.strip_prefix("> ") {
                said += &format!("{line}\n{}\n", run(&server, command));
                commands += 1;
            } else if let Some(pause) = line.strip_prefix("# ") {
                let ms = pause.strip_suffix(" ms later").expect("a pause");
                now += ms.parse::<u64>().expect("milliseconds") * 1000;
                server.freeze(now);
                said += &format!("{line}\n");
            }
        }
        assert_eq!(said, session);
    }
    assert!(commands >= 20, "{commands} examples");
}
