//! More checks than a Redis in trouble answers, or more keys than a front has room for: it decides
//! them all, in bounded memory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rl_tests::{Fault, FaultProxy, Front, Scrape, Setup, StopOnDrop, eventually, skip};
use serde_json::json;

use super::callers::{FILES, connect, may_open_files};
use super::rig::{DEADLINE, OUTAGE, SOON};

/// Growth in MiB that a front does not reach unless something in it grows without bound.
const ROOM: u64 = 64;

/// Sends a check of a key of its own. The bucket is soon full again, and forgotten.
fn send_check(mut caller: &TcpStream, key: u64) {
    let body = format!(r#"{{"key":"{key}","capacity":10,"rate":"1000/s"}}"#);
    let length = body.len();
    let head = format!("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    caller.write_all((head + &body).as_bytes()).expect("to send");
}

/// Reads the answer: whether it was decided without Redis.
fn is_degraded(mut caller: &TcpStream) -> bool {
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"}") {
        let len = caller.read(&mut piece).expect("an answer");
        assert!(len > 0, "the front hung up: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..len]);
    }
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.contains(r#""degraded":true"#)
}

#[test]
fn neither_a_slow_nor_a_silent_redis_fills_it() {
    const THREADS: usize = 4;
    const CALLERS: usize = 400;
    const ANSWERS: u64 = 5_000;
    let server = Setup::with_module().start();
    let proxy = FaultProxy::start(server.port());
    let millis = DEADLINE.as_millis().to_string();
    let store = ["--store", &proxy.url(), "--workers", "2", "--deadline-ms", &millis];
    let front = Front::start(&store);
    let (answers, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    // All callers of a thread send a check, then all read their answers, again and again.
    let calls = |thread: usize| {
        let from = Ipv4Addr::new(127, 2, 0, 1 + thread as u8);
        let callers: Vec<_> = (0..CALLERS / THREADS).map(|_| connect(from, &front)).collect();
        let mut key = (thread as u64) << 32;
        while !stop.load(Ordering::Relaxed) {
            for caller in &callers {
                send_check(caller, key);
                key += 1;
            }
            for caller in &callers {
                is_degraded(caller);
            }
            answers.fetch_add(callers.len() as u64, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let end = StopOnDrop(&stop);
        (0..THREADS).for_each(|thread| drop(scope.spawn(move || calls(thread))));
        let go_on = || {
            let (since, before) = (Instant::now(), answers.load(Ordering::Relaxed));
            eventually("many more answers", 3 * SOON, || {
                let more = answers.load(Ordering::Relaxed) - before;
                since.elapsed() > OUTAGE && more >= ANSWERS
            });
        };
        go_on();
        let before = front.resident();
        let each_way = DEADLINE.mul_f64(0.4);
        for fault in [
            Fault::Latency { each_way, jitter: Duration::ZERO },
            Fault::Latency { each_way, jitter: DEADLINE },
            Fault::HoldReplies,
            Fault::HoldRequests,
        ] {
            proxy.set(fault);
            go_on();
            let after = front.resident();
            assert!(after <= before + ROOM, "{fault:?}: {before} MiB became {after}");
        }
        drop(end);
    });
    assert!(front.redis_errors("late") > 0, "Redis was not late");
}

#[test]
fn what_would_wait_too_long_is_shed_at_once() {
    const CALLERS: u64 = 6_000;
    /// Checks of one worker that may wait for Redis.
    const WAITING: u64 = 4 * 1024;
    if !may_open_files() {
        skip!("no process here may open {FILES} files, see ulimit -Hn");
    }
    let server = Setup::with_module().start();
    let proxy = FaultProxy::start(server.port());
    let patient = ["--store", &proxy.url(), "--workers", "1", "--deadline-ms", "30000"];
    let front = Front::start(&patient);
    let callers: Vec<_> = (0..CALLERS)
        .map(|at| connect(Ipv4Addr::new(127, 3, 0, 1 + (at % 8) as u8), &front))
        .collect();
    let send_all = || (0..).zip(&callers).for_each(|(key, caller)| send_check(caller, key));
    let degraded = || callers.iter().map(|it| u64::from(is_degraded(it))).sum::<u64>();
    send_all();
    degraded();
    let (before, shed) = (front.resident(), front.redis_errors("shed"));
    proxy.set(Fault::HoldReplies);
    send_all();
    let more = || front.redis_errors("shed") - shed;
    // The others wait, as Redis has answered nothing yet.
    eventually("some are shed", SOON, || more() >= CALLERS - WAITING);
    let after = front.resident();
    assert!(after <= before + ROOM, "{before} MiB became {after}");
    proxy.clear();
    let without = degraded();
    assert_eq!(more(), CALLERS - WAITING);
    assert_eq!(without, more(), "checks decided without Redis, and shed ones");
}

#[test]
fn a_flood_of_keys_stays_within_the_limit() {
    const KEYS: u64 = 500_000;
    const LIMIT: (&str, u64) = ("32M", 32_000_000);
    // A store in memory, and the buckets that stand in for a Redis that is not there.
    for store in ["memory", "redis://127.0.0.1:1"] {
        let limits = ["--capacity", "5", "--rate", "5/d", "--memory-limit", LIMIT.0];
        let front = Front::start_unready(&[&["--store", store], &limits[..]].concat());
        let before = front.resident();
        let drained = r#"{"key":"drained","cost":5}"#;
        assert_eq!(front.check(drained)["allowed"], json!(true));
        for first in (0..KEYS).step_by(1000) {
            let checks: Vec<_> =
                (first..first + 1000).map(|key| json!({ "key": format!("{key:0>100}") })).collect();
            let answer = front.post("/check/batch", &json!({ "checks": checks }).to_string());
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        let after = front.resident();
        assert!(after <= before + LIMIT.1 / (1 << 20) + ROOM, "{before} MiB became {after}");
        let scrape = Scrape::parse(&front.text("/metrics"));
        let [buckets, evictions, bytes, limit] =
            ["buckets", "evictions_total", "bytes", "limit_bytes"]
                .map(|name| scrape.value(&format!("rl_memory_{name}")) as u64);
        assert_eq!(buckets + evictions, KEYS + 1, "{store}");
        assert!(bytes <= limit && limit == LIMIT.1, "{store}: {bytes} of {limit}");
        assert!(buckets > 100_000 && evictions > 0, "{store}: {buckets}, {evictions}");
        // Others have four tokens left: they go first.
        assert_eq!(front.check(drained)["allowed"], json!(false), "{store}");
    }
}
