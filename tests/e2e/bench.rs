//! `rl-server bench`: it counts what happened, against fronts and directly against Redis.

use std::time::Duration;

use rl_tests::{ChildProcess, Front, Setup};
use serde_json::{Value, json};

use crate::cli::{self, url};

fn run(words: &str, more: &[&str]) -> (i32, String, String) {
    cli::run(&format!("bench {words}"), more)
}

#[track_caller]
fn json_of(words: &str, more: &[&str]) -> (i32, Value) {
    cli::json_of(&format!("bench {words}"), more)
}

#[track_caller]
fn count(body: &Value, field: &str) -> u64 {
    body[field].as_u64().unwrap_or_else(|| panic!("no {field} in {body}"))
}

/// From one full bucket exactly its tokens are allowed, with every kind of connection.
#[test]
fn exactly_the_tokens_of_a_bucket_are_allowed() {
    let front = Front::start(&[]);
    let (module, plain) = (Setup::with_module().start(), Setup::plain().start());
    let over_redis = Front::start(&["--store", &module.url()]);
    let (http, over, with_module, with_lua) =
        (url(&front), url(&over_redis), module.url(), plain.url());
    let limit = ["--capacity", "50", "--refill", "1/d", "--keys", "1"];
    for (round, more) in [
        "--connections 4",
        "--connections 4 --batch 7",
        "--connections 4 --batch 64 --threads 2",
        "--connections 1",
    ]
    .iter()
    .enumerate()
    {
        for (flag, target, engine, pipeline) in [
            ("--server", &http, json!(null), ""),
            ("--server", &over, json!(null), ""),
            ("--store", &with_module, json!("module"), " --pipeline 3"),
            ("--store", &with_lua, json!("lua"), " --pipeline 3"),
        ] {
            let prefix = format!("bench:{round}:");
            let words = format!("--duration 200ms {more}{pipeline}");
            let target = [flag, target, "--key-prefix", &prefix];
            let (code, body) = json_of(&words, &[&limit[..], &target].concat());
            assert_eq!(code, 0, "{body}");
            assert_eq!(body["engine"], engine, "{body}");
            assert_eq!((count(&body, "allowed"), count(&body, "errors")), (50, 0), "{body}");
            let decided = count(&body, "allowed") + count(&body, "denied");
            assert_eq!(count(&body, "checks"), decided, "{body}");
            let histogram = body["histogram"].as_array().expect("rows");
            let rows: u64 = histogram.iter().map(|row| count(row, "requests")).sum();
            assert_eq!(rows, count(&body, "requests"), "{body}");
        }
    }
    // The buckets are those of fronts and of `check`.
    let answer = front.check(r#"{"key":"bench:0:0","capacity":50,"rate":"1/d"}"#);
    assert_eq!((&answer["allowed"], &answer["remaining"]), (&json!(false), &json!(0)));
    let keys: Vec<String> = plain.run("KEYS *:default");
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys.contains(&"rl:{bench:0:0}:default".to_owned()), "{keys:?}");
}

#[test]
fn a_rate_is_sent_to_the_request() {
    let front = Front::start(&[]);
    let redis = Setup::with_module().start();
    let limit = ["--capacity", "1000", "--refill", "1000"];
    for (target, more) in [
        (["--server", &url(&front)], &[][..]),
        (["--store", &redis.url()], &limit),
        (["--server", &url(&front)], &["--batch", "10"]),
    ] {
        let words = "--rate 400 --duration 500ms --keys 10 --skew 1 --seed 7";
        let (code, body) = json_of(words, &[&target, more].concat());
        assert_eq!(code, 0, "{body}");
        assert_eq!(body["asked_per_second"], json!(400.0));
        // On a busy machine some checks may go unsent, and are counted.
        let (checks, unsent) = (count(&body, "checks"), count(&body, "never_sent"));
        assert_eq!(checks + unsent, 200, "{body}");
        assert_eq!(body["rate_kept"], json!(unsent * 100 <= 200), "{body}");
        assert_eq!(
            count(&body, "requests"),
            if more.contains(&"10") { checks / 10 } else { checks }
        );
    }
    let keys: Vec<String> = redis.run("KEYS *:default");
    assert!(keys.len() <= 10, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("rl:{bench:") && key.len() == 20), "{keys:?}");
}

#[test]
fn the_report_for_people() {
    let front = Front::start(&[]);
    let server = ["--server", &url(&front)];
    let (code, out, err) = run("--duration 1100ms --connections 2 --keys 10", &server);
    assert_eq!(code, 0, "{out}{err}");
    let first = format!("{}: as fast as answers come, 2 connections, 10 keys\n\nchecks", server[1]);
    assert!(out.starts_with(&first), "{out}");
    for part in [
        "\nallowed ",
        "\ndenied ",
        "\ndegraded            0\n",
        "\nerrors              0\n",
        "each from when it was sent\nmin ",
        "p99.9 ",
        "\nup to ",
        "##########\n",
    ] {
        assert!(out.contains(part), "{part:?}: {out}");
    }
    // One line for one second, and no control characters: stderr is no terminal.
    assert!(err.starts_with("   1 s ") && err.ends_with("s\n") && !err.contains('\u{1b}'), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn ctrl_c_ends_it_early() {
    let front = Front::start(&[]);
    for signal in ["INT", "TERM"] {
        for rate in ["--rate=100", "--seed=1"] {
            let arguments = ["bench", "--server", &url(&front), "--duration", "1h", "--json", rate];
            let mut bench = ChildProcess::start(&arguments);
            bench.wait_for_output("   1 s ");
            bench.signal(signal);
            let status = bench.wait(Duration::from_secs(20));
            let output = bench.output();
            assert_eq!(status.code(), Some(0), "{output}");
            let body: Value =
                serde_json::from_str(output.lines().last().expect("a result")).expect("JSON");
            assert_eq!(body["interrupted"], json!(true), "{body}");
            assert!(count(&body, "checks") > 0 && count(&body, "errors") == 0, "{body}");
            assert!(body["seconds"].as_f64().is_some_and(|seconds| seconds < 60.0), "{body}");
        }
    }
}

#[test]
fn a_target_that_goes_away_is_an_error() {
    let redis = Setup::with_module().start();
    let front = Front::start(&[]);
    let (server, store) = (url(&front), redis.url());
    let limit = ["--capacity", "10", "--refill", "1"];
    let common = ["bench", "--json", "--duration", "1h", "--rate", "200"];
    let mut at_front = ChildProcess::start(&[&common[..], &["--server", &server]].concat());
    let mut at_redis = ChildProcess::start(&[&common[..], &["--store", &store], &limit].concat());
    for bench in [&at_front, &at_redis] {
        bench.wait_for_output("   1 s ");
    }
    drop(front);
    drop(redis);
    for bench in [&mut at_front, &mut at_redis] {
        let output = bench.output();
        let seconds = output.lines().count() + 3;
        bench.wait_for_output(&format!("{seconds:>4} s "));
        bench.signal("INT");
        let status = bench.wait(Duration::from_secs(20));
        let output = bench.output();
        assert_eq!(status.code(), Some(1), "{output}");
        let body: Value =
            serde_json::from_str(output.lines().last().expect("a result")).expect("JSON");
        assert!(count(&body, "errors") > 0 && count(&body, "allowed") > 0, "{body}");
        let kinds = body["errors_by_kind"].as_object().expect("kinds");
        assert!(kinds.keys().any(|kind| kind.to_lowercase().contains("connection")), "{body}");
    }

    // A front without its Redis decides nevertheless, and its answers are counted as degraded.
    let front = Front::start_unready(&["--store", &store, "--deadline-ms", "1000"]);
    let (code, body) = json_of("--duration 200ms", &["--server", &url(&front)]);
    assert_eq!(code, 0, "{body}");
    assert!(count(&body, "checks") > 0, "{body}");
    assert_eq!(count(&body, "degraded"), count(&body, "checks"), "{body}");
}

#[test]
fn a_target_that_cannot_be_used_is_an_error() {
    let front = Front::start(&[]);
    let plain = Setup::plain().start();
    let (server, store) = (url(&front), plain.url());
    let limit = " --capacity 1 --refill 1";
    for (words, code, output) in [
        (format!("--server {server} --policy x"), 1, ": 404 Not Found: no policy has this name"),
        (format!("--server {}", server.replace("http", "https")), 1, "InvalidContentType"),
        (format!("--server http://127.0.0.1:{}", plain.port()), 1, "closed without an answer"),
        ("--server http://127.0.0.1:1".to_owned(), 1, "127.0.0.1:1: Connection refused"),
        (format!("--store redis://127.0.0.1:1{limit}"), 1, "Connection refused"),
        (format!("--store {store}{limit} --engine module"), 1, "lacks RL.CHECK"),
        (format!("--store {store}"), 2, "--store needs --capacity and --refill"),
        ("--rate 1k".to_owned(), 2, "rate must be 1 to 10 digits"),
    ] {
        let (exit, out, err) = run(&words, &[]);
        assert_eq!((exit, out.as_str()), (code, ""), "{words}: {err}");
        assert!(err.contains(output), "{words}: {err}");
    }
}
