//! Starting, readiness, draining.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::{Front, eventually};
use serde_json::json;

#[test]
fn the_start_up_line_is_a_curl_to_try() {
    let front = Front::start(&[]);
    let (_, curl) = front.start_line().split_once("Try: ").expect("a command to try");
    let output = Command::new("sh").args(["-c", curl]).output().expect("a shell");
    let body: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(body["allowed"], json!(true), "{curl}");
}

#[test]
fn health_says_what_serves() {
    let front = Front::start(&[]);
    assert_eq!(front.get("/health/live").status, 200);
    let ready = front.get("/health/ready");
    assert_eq!(ready.status, 200);
    assert_eq!((&ready.body["engine"], &ready.body["store"]), (&json!("memory"), &json!("up")));
}

#[test]
fn a_front_told_to_stop_drops_nobody() {
    let mut front = Front::start(&[]);
    let served = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) && front.get("/health/ready").status == 200
                    {
                        // Whoever was told 200 a moment ago is served, whatever happens meanwhile.
                        front.check(r#"{"key":"k"}"#);
                        served.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        eventually("traffic flows", Duration::from_secs(10), || {
            served.load(Ordering::Relaxed) > 100
        });
        front.signal("TERM");
        // Readiness says 503 while it drains: then the callers stop by themselves.
        for caller in callers {
            caller.join().expect("no request is dropped");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let told = Instant::now();
    assert!(front.wait(Duration::from_secs(8)).success());
    assert!(told.elapsed() < Duration::from_secs(8));
}

#[test]
fn what_cannot_start_says_why() {
    for (arguments, code, text) in [
        (&["--capacity", "0"][..], 2, "capacity must be"),
        (&["--rate", "fast"], 2, "rate must be"),
        (&["--store", "http://example.test"], 2, "store"),
        (&["--engine", "wasm"], 2, "engine"),
        (&["--deadline-ms", "0"], 2, "deadline"),
        (&["--no-such-flag"], 2, "no-such-flag"),
        (&["--listen", "127.0.0.1:1:2"], 1, "listen"),
    ] {
        let output = Front::run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
    let taken = Front::start(&[]);
    let output = Front::run(&["--listen", taken.address()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("cannot listen")).count(), 1, "{said}");
}

#[test]
fn port_alone_means_every_address() {
    let help = Front::run(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    for flag in
        ["--listen", "--store", "--engine", "--capacity", "--rate", "--deadline-ms", "--workers"]
    {
        assert!(help.contains(flag), "{help}");
        let variable = format!("RL_{}", flag[2..].replace('-', "_").to_uppercase());
        assert!(help.contains(&variable), "{variable}: {help}");
    }
}
