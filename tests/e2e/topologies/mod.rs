//! The front over each topology: Sentinel, Cluster, TLS, Envoy in between, and logins that change.

mod cluster;
mod envoy;
mod login;
mod sentinel;
mod tls;

use std::time::Duration;

use rl_tests::{Front, eventually};
use serde_json::Value;

/// A long deadline, so that a busy machine degrades no answer that should come from Redis.
const PATIENT: [&str; 2] = ["--deadline-ms", "5000"];
const SOON: Duration = Duration::from_secs(30);

/// A front over this store that accepts inline limits.
fn front(store: &str, more: &[&str]) -> Front {
    Front::start(&[&["--store", store, "--workers", "2"][..], &PATIENT, more].concat())
}

/// A check of a bucket with this capacity, which gains no token while a test runs.
fn check(front: &Front, key: &str, capacity: u32) -> Value {
    front.check(&format!(r#"{{"key":"{key}","capacity":{capacity},"rate":"1/d"}}"#))
}

fn is_degraded(answer: &Value) -> bool {
    answer["degraded"] == true
}

/// Waits until checks of this key are decided by Redis.
#[track_caller]
fn healed(front: &Front, key: &str) {
    eventually("redis decides again", SOON, || !is_degraded(&check(front, key, 1_000_000)));
}
