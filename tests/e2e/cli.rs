//! `rl-server check|peek|reset`, against fronts and directly against Redis.

use std::fs;
use std::process::Output;
use std::time::Duration;

use rl_tests::{Front, Setup, eventually};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Runs `words`, split at spaces, followed by `more`: exit code, stdout and stderr.
pub(crate) fn run(words: &str, more: &[&str]) -> (i32, String, String) {
    let arguments: Vec<_> = words.split(' ').chain(more.iter().copied()).collect();
    let Output { status, stdout, stderr } = Front::run(&arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// The exit code and the JSON of `--json`.
#[track_caller]
pub(crate) fn json_of(words: &str, more: &[&str]) -> (i32, Value) {
    let (code, out, err) = run(words, &[more, &["--json"]].concat());
    assert_eq!(out.lines().count(), 1, "{words}: {out}{err}");
    (code, serde_json::from_str(&out).expect("JSON"))
}

pub(crate) fn url(front: &Front) -> String {
    format!("http://{}", front.address())
}

#[test]
fn check_until_denied_then_reset() {
    let front = Front::start(&["--capacity", "2", "--rate", "1/d"]);
    let server = ["--server", &url(&front)];
    for (words, code, text) in [
        ("peek k", 0, "allowed   2 of 2 left\n"),
        ("check k", 0, "allowed   1 of 2 left, full again in 1 d\n"),
        ("peek k", 0, "allowed   1 of 2 left, full again in 1 d\n"),
        ("check k --cost 3", 1, "denied    cost is above the capacity 2: no wait helps\n"),
        ("check k", 0, "allowed   0 of 2 left, full again in 2 d\n"),
        ("check k", 1, "denied    0 of 2 left, retry in 1 d, full again in 2 d\n"),
        ("peek k", 1, "denied    0 of 2 left, retry in 1 d, full again in 2 d\n"),
        ("check other", 0, "allowed   1 of 2 left, full again in 1 d\n"),
        ("check k --capacity 5 --rate 1/d", 0, "allowed   4 of 5 left, full again in 1 d\n"),
        ("reset k", 0, "reset     1 bucket, full again\n"),
        ("reset nobody", 0, "reset     nothing: no bucket was in use\n"),
        ("peek k", 0, "allowed   2 of 2 left\n"),
    ] {
        let (exit, out, err) = run(words, &server);
        assert_eq!((exit, out.as_str(), err.as_str()), (code, text, ""), "{words}");
    }
    let (code, body) = json_of("check k --cost 2", &server);
    let expected = json!({"allowed": true, "limit": 2, "remaining": 0, "retry_after_ms": 0});
    assert_eq!(code, 0);
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&body[field], value, "{body}");
    }
}

#[test]
fn a_policy_of_several_limits() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    let policies = "[policies.api]\nlimits = [\n\
        { name = \"burst\", capacity = 1, rate = \"1/d\" },\n\
        { name = \"per-day\", capacity = 10, rate = \"10/d\" },\n]\n";
    fs::write(&file, policies).expect("to write the policies");
    let redis = Setup::plain().start();
    let path = file.to_str().expect("a path in UTF-8");
    let front = Front::start(&["--config", path, "--store", &redis.url()]);
    let server = ["--policy", "api", "--server", &url(&front)];
    let (code, out, _) = run("check k", &server);
    assert_eq!(code, 0, "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[1], "  burst    allowed   0 of 1 left, full again in 1 d");
    assert!(lines[2].starts_with("  per-day  allowed   9 of 10 left"), "{out}");
    // Each limit has a bucket of its own in Redis.
    let store = ["--store", &redis.url()];
    let (code, out, _) = run("peek k --policy api:per-day --capacity 10 --rate 10/d", &store);
    assert!(code == 0 && out.starts_with("allowed   9 of 10 left"), "{out}");
}

#[test]
fn directly_against_redis_it_uses_the_buckets_of_the_fronts() {
    for (redis, engines) in [
        (Setup::with_module().start(), &["auto", "module", "lua"][..]),
        (Setup::plain().start(), &["auto", "lua"]),
    ] {
        let store = redis.url();
        let front = Front::start(&["--store", &store, "--capacity", "100", "--rate", "100/d"]);
        let limit = ["--store", &store, "--capacity", "100", "--rate", "100/d"];
        let mut left = 100;
        for engine in engines {
            left -= 1;
            assert_eq!(front.check(r#"{"key":"k"}"#)["remaining"], json!(left));
            for (words, takes) in [("peek k --engine", 0), ("check k --engine", 1)] {
                left -= takes;
                let (code, body) = json_of(words, &[&[*engine], &limit[..]].concat());
                assert_eq!((code, &body["remaining"]), (0, &json!(left)), "{engine} {words}");
            }
        }
        let inline = front.check(r#"{"key":"k","capacity":5,"rate":"1/d"}"#);
        assert_eq!(inline["remaining"], json!(4));
        let more = ["--store", &store, "--capacity", "5", "--rate", "1/d"];
        let (_, body) = json_of("peek k --policy inline", &more);
        assert_eq!(body["remaining"], json!(4));
        // The name of the bucket in Redis.
        let (_, body) = json_of("peek rl:{k}:default --raw", &limit);
        assert_eq!(body["remaining"], json!(left));

        // The front sees a reset: it remembers denials only, and for a second at most.
        assert_eq!(run("check k --cost 200", &limit).0, 1);
        assert_eq!(json_of("reset k", &["--store", &store]), (0, json!({"reset": 1})));
        assert_eq!(json_of("reset k", &["--store", &store]), (0, json!({"reset": 0})));
        eventually("the front sees a full bucket", Duration::from_secs(5), || {
            front.post("/peek", r#"{"key":"k"}"#).body["remaining"] == json!(100)
        });
    }
}

#[test]
fn secrets_are_not_printed() {
    let redis = Setup::plain().start();
    redis.run::<()>("CONFIG SET requirepass hunter2");
    for (password, code, text) in
        [("hunter2", 0, ""), ("hunter3", 3, "WRONGPASS"), ("", 3, "NOAUTH")]
    {
        let store = format!("redis://:{password}@127.0.0.1:{}", redis.port());
        let (exit, out, err) = run("check k --capacity 1 --rate 1/h", &["--store", &store]);
        assert_eq!(exit, code, "{out}{err}");
        assert!(err.contains(text) && !(out + &err).contains("hunter"), "{err}");
    }

    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (tokens, token, other) = (path("tokens.toml"), path("token"), path("other"));
    let hash: String = Sha256::digest("t0ken").iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = format!("[[tokens]]\nname = \"a test\"\nsha256 = \"{hash}\"\nrole = \"check\"\n");
    for (file, content) in [(&tokens, &*entry), (&token, "t0ken\n"), (&other, "0ther\n")] {
        fs::write(file, content).expect("to write a file");
    }
    let front = Front::start(&["--tokens", &tokens]);
    let server = url(&front);
    let with = |file: &str| run("check k --server", &[&server, "--token-file", file]);
    assert_eq!(with(&token).0, 0);
    let (code, _, err) = with(&other);
    assert!(code == 3 && err.contains("401 Unauthorized: ") && !err.contains("0ther"), "{err}");
    let (code, _, err) = with(&path("none"));
    assert!(code == 2 && err.contains("--token-file"), "{err}");
    let (code, _, err) = run("check k --server", &[&server]);
    assert!(code == 3 && err.contains("pass one with --token-file or RL_TOKEN"), "{err}");
    let (code, _, err) = run("reset k --server", &[&server, "--token-file", &token]);
    assert!(code == 3 && err.contains("403 Forbidden: "), "{err}");
}

#[test]
fn a_target_that_cannot_be_used_is_an_error() {
    let mut redis = Setup::plain().start();
    redis.run::<()>("RPUSH list 1");
    let (store, limit) = (redis.url(), ["--capacity", "1", "--rate", "1/h"]);
    let at_redis = [&["--store", &store], &limit[..]].concat();
    let (code, out, err) = run("check list --raw", &at_redis);
    assert!(code == 3 && out.is_empty() && err.contains("WRONGTYPE"), "{err}");
    let (code, _, err) = run("check k --engine module", &at_redis);
    assert!(code == 3 && err.contains("lacks RL.CHECK"), "{err}");
    redis.kill();
    let (code, _, err) = run("check k", &at_redis);
    assert!(code == 3 && err.contains("Connection refused"), "{err}");

    // A front without its Redis decides nevertheless, and says so.
    let front = Front::start_unready(&["--store", &store]);
    let (code, out, _) = run("check k", &["--server", &url(&front)]);
    assert!(code == 0 && out.ends_with("(decided without Redis)\n"), "{out}");
    // It does not claim a reset that it cannot make.
    let (code, out, err) = run("reset k", &["--server", &url(&front)]);
    assert!(code == 3 && out.is_empty() && err.contains(": 503 Service Unavailable: "), "{err}");

    let server = url(&front);
    drop(front);
    let (code, out, err) = run("check k", &["--server", &server]);
    assert!(code == 3 && out.is_empty() && err.contains("Connection refused"), "{err}");
}

#[test]
fn flags_take_computed_numbers() {
    let front = Front::start(&["--capacity", "1.0E1", "--rate", "1/30d"]);
    let (code, out, err) = run("check k --cost 3e0", &["--server", &url(&front)]);
    assert_eq!((code, out.as_str()), (0, "allowed   7 of 10 left, full again in 90 d\n"), "{err}");
    let words = "check j --capacity 1e+01 --rate 1.6666666666666667 --cost 0.30000000000000004";
    let (code, out, err) = run(words, &["--server", &url(&front)]);
    let expected = "allowed   9 of 10 left, full again in 180 ms\n";
    assert_eq!((code, out.as_str()), (0, expected), "{err}");
}

#[test]
fn refusals_name_the_rule() {
    let front = Front::start(&[]);
    let server = ["--server", &url(&front)];
    let long = "k".repeat(1025);
    for (words, code, rule) in [
        (format!("check {long}"), 3, ": 422 Unprocessable Entity: key must be a string of 1 to"),
        ("check ".to_owned(), 3, "key must be a string of 1 to 1024 bytes"),
        ("check k --policy x".to_owned(), 3, ": 404 Not Found: no policy has this name"),
        ("check k --cost 1k".to_owned(), 2, "cost must be 1 to 10 digits"),
        ("check k --capacity 0 --rate 1".to_owned(), 2, "capacity must be above 0"),
        ("check k --capacity 1".to_owned(), 2, "--rate"),
        ("check k --no-such-flag".to_owned(), 2, "no-such-flag"),
    ] {
        let (exit, out, err) = run(&words, &server);
        assert_eq!((exit, out.as_str()), (code, ""), "{words}: {err}");
        assert!(err.contains(rule), "{words}: {err}");
    }
}
