//! Large requests of one caller beside the checks of others.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rl_tests::{Caller, Front, Setup};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Single checks that a neighbour makes, one after the other.
const CHECKS: usize = 200;
/// The pause between them.
const PACE: Duration = Duration::from_millis(5);
/// Callers of batches.
const CALLERS: usize = 4;

/// One worker: callers of batches of 1,000 checks under 16 limits each, and a neighbour.
#[track_caller]
fn batches_let_neighbours_through(setup: Setup, engine: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    let limits: String = (0..16)
        .map(|i| format!("{{name=\"l{i}\",capacity=1000000,rate=\"{}/s\"}},", i + 1))
        .collect();
    let policies = format!(
        "[policies.default]\ncapacity = 1000000\nrate = \"1/s\"\n\
         [policies.sixteen]\nlimits = [{limits}]\n"
    );
    fs::write(&file, policies).expect("to write the policies");
    let server = setup.start();
    let (config, url) = (file.to_str().expect("a path in UTF-8"), server.url());
    let store = ["--store", &url, "--engine", engine, "--config", config];
    let front = Front::start(&[&store[..], &["--workers", "1", "--deadline-ms", "200"]].concat());
    let checks: Vec<_> =
        (0..1000).map(|i| json!({ "key": format!("b{i}"), "policy": "sixteen" })).collect();
    let batch = json!({ "checks": checks }).to_string();

    let (is_over, batches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let degraded = thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut caller = Caller::of(&front);
                while !is_over.load(Ordering::Relaxed) {
                    caller.post("/check/batch", &batch);
                    assert!(caller.body().len() > 1000 * 16, "a result for each check");
                    batches.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut degraded = 0;
        for i in 0..CHECKS {
            let answer = front.check(&json!({ "key": format!("n{i}") }).to_string());
            degraded += usize::from(answer["degraded"] == Value::Bool(true));
            thread::sleep(PACE);
        }
        is_over.store(true, Ordering::Relaxed);
        degraded
    });
    let batches = batches.into_inner();
    assert!(batches > 2, "{engine}: {batches} batches");
    // One in a hundred, and as many for a machine that is busy otherwise.
    assert!(degraded * 50 <= CHECKS, "{engine}: {degraded} of {CHECKS} degraded\n{}", front.log());
}

#[test]
fn a_large_batch_lets_neighbours_through_with_the_script() {
    batches_let_neighbours_through(Setup::plain(), "lua");
}

#[test]
fn a_large_batch_lets_neighbours_through_with_the_module() {
    batches_let_neighbours_through(Setup::with_module(), "module");
}
