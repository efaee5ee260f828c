//! Redis Cluster.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rl_tests::{Cluster, Front, Setup, StopOnDrop};
use serde_json::{Value, json};

use super::{PATIENT, check, front, healed, is_degraded};

fn setup(engine: &str) -> Setup {
    if engine == "module" { Setup::with_module() } else { Setup::plain() }
}

#[test]
fn every_key_finds_its_node() {
    for engine in ["module", "lua"] {
        let cluster = Cluster::start(|| setup(engine), 3, false);
        // One worker, which has met every node once so many keys are decided.
        let store = ["--store", &cluster.url(), "--workers", "1"];
        let front = Front::start(&[&store[..], &PATIENT].concat());
        assert_eq!(front.get("/health/ready").body["engine"], engine);
        let keys: Vec<_> = (0..60).map(|i| format!("key:{i}")).collect();
        for key in &keys {
            healed(&front, &format!("warm:{key}"));
        }
        for key in &keys {
            assert_eq!(check(&front, key, 10)["remaining"], 9, "{engine}, {key}");
        }
        let one = |key: &String| json!({"key": key, "capacity": 10, "rate": "1/d"});
        let checks: Vec<_> = keys.iter().chain(&keys).map(one).collect();
        let answer = front.post("/check/batch", &json!({"checks": checks}).to_string());
        let results = answer.body["results"].as_array().expect("results");
        let left: Vec<_> = results.iter().map(|it| it["remaining"].as_i64().unwrap()).collect();
        assert_eq!(left, [[8; 60], [7; 60]].concat(), "{engine}");
        assert!(!results.iter().any(is_degraded), "{engine}");
        for (path, cost, remaining) in
            [("/peek", 1, 7), ("/take", 2, 5), ("/refund", 1, 6), ("/charge", 8, -2)]
        {
            for key in &keys[..10] {
                let body = json!({"key": key, "capacity": 10, "rate": "1/d", "cost": cost});
                let answer = front.post(path, &body.to_string());
                assert_eq!(answer.body["remaining"], remaining, "{engine}, {path}: {answer:?}");
            }
        }
        for key in &keys {
            let body = json!({"key": key, "policy": "inline"});
            let answer = front
                .post("/reset", &json!({"key": key, "capacity": 10, "rate": "1/d"}).to_string());
            assert_eq!(answer.body["reset"], 1, "{engine}, {body}: {answer:?}");
        }
        // Every node has some of the keys.
        for node in cluster.nodes() {
            assert!(node.run::<u64>("DBSIZE") > 0, "{engine}");
        }
    }
}

/// Sends checks from several callers until `stop`. Returns the number of allowed ones, and whether
/// any was decided without Redis.
fn drain(front: &Front, body: &str, stop: &AtomicBool) -> (usize, bool) {
    let (allowed, degraded) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer: Value = front.check(body);
                    if is_degraded(&answer) {
                        degraded.store(true, Ordering::Relaxed);
                    }
                    if answer["allowed"] == true {
                        allowed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    (allowed.into_inner(), degraded.into_inner())
}

#[test]
fn a_reshard_under_load_loses_and_doubles_nothing() {
    const TOKENS: usize = 3000;
    let policies = format!(
        "[policies.default]\ncapacity = {TOKENS}\nrate = \"1/d\"\n\
         [policies.two]\nlimits = [\n  {{ name = \"a\", capacity = {TOKENS}, rate = \"1/d\" }},\n  \
         {{ name = \"b\", capacity = 1000000, rate = \"1/d\" }},\n]\n"
    );
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("policies.toml");
    std::fs::write(&file, policies).unwrap();
    for engine in ["module", "lua"] {
        let cluster = Cluster::start(|| setup(engine), 2, false);
        let front = front(&cluster.url(), &["--config", file.to_str().unwrap()]);
        for (key, policy) in [("one", "default"), ("many", "two")] {
            let body = json!({"key": key, "policy": policy}).to_string();
            let slot = cluster.slot(key);
            let home = cluster.owner(slot);
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let end = StopOnDrop(&stop);
                let drained = scope.spawn(|| drain(&front, &body, &stop));
                let peek_meanwhile = || {
                    // Answered while the slot moves, not only afterwards.
                    let peek = front.post("/peek", &body).body;
                    assert!(!is_degraded(&peek), "{engine}, {policy}: {peek}");
                };
                for (from, to) in [(home, 1 - home), (1 - home, home), (home, 1 - home)] {
                    cluster.move_slot(slot, from, to, peek_meanwhile);
                }
                rl_tests::eventually("the bucket is empty", super::SOON, || {
                    front.post("/peek", &body).body["remaining"] == 0
                });
                drop(end);
                let (allowed, degraded) = drained.join().expect("callers");
                assert!(!degraded, "{engine}, {policy}\n{}", front.log());
                assert_eq!(allowed, TOKENS, "{engine}, {policy}");
            });
        }
    }
}

#[test]
fn a_front_is_ready_once_it_has_reached_every_node() {
    let cluster = Cluster::start(Setup::with_module, 2, false);
    let mut other = cluster.nodes()[1].connect();
    let mut require_password = |password: &str| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("requirepass").arg(password);
        set.query::<()>(&mut other).expect("to set the password");
    };
    require_password("unknown");
    let front = Front::start_unready(
        &[&["--store", &cluster.url(), "--workers", "2"][..], &PATIENT].concat(),
    );
    rl_tests::eventually("one node is up", super::SOON, || front.log().contains("redis is up"));
    let ready = front.get("/health/ready");
    assert_eq!((ready.status, &ready.body["status"]), (503, &json!("starting")), "{ready:?}");
    require_password("");
    rl_tests::eventually("it is ready", super::SOON, || front.get("/health/ready").status == 200);
    for i in 0..40 {
        let answer = check(&front, &format!("key:{i}"), 10);
        assert!(!is_degraded(&answer), "{answer}\n{}", front.log());
    }
}

#[test]
fn a_node_without_the_module_is_asked_in_lua() {
    let cluster = Cluster::start_each(|at| setup(["module", "lua"][at]), 2, 2);
    let any = front(&cluster.url(), &[]);
    let keys: Vec<_> = (0..20).map(|i| format!("key:{i}")).collect();
    for key in &keys {
        healed(&any, key);
    }
    for node in cluster.nodes() {
        assert!(node.run::<u64>("DBSIZE") > 0);
    }
    // With --engine module the keys of the other node have no Redis, and the log names the cause.
    let module = Front::start_unready(
        &[&["--store", &cluster.url(), "--engine", "module"][..], &PATIENT].concat(),
    );
    rl_tests::eventually("the log names the cause", super::SOON, || {
        keys.iter().any(|key| is_degraded(&check(&module, key, 1_000_000)))
            && module.log().contains("redis lacks RL.CHECK")
    });
    for key in keys.iter().filter(|key| cluster.owner(cluster.slot(key)) == 0) {
        healed(&module, key);
    }
}

#[test]
fn a_primary_that_dies_is_replaced_and_meanwhile_others_answer() {
    let mut cluster = Cluster::start(Setup::with_module, 3, true);
    let front = front(&cluster.url(), &[]);
    let keys: Vec<_> = (0..40).map(|i| format!("key:{i}")).collect();
    keys.iter().for_each(|key| healed(&front, key));
    let dead = 1;
    let is_of_dead = |key: &String| cluster.owner(cluster.slot(key)) == dead;
    let of_dead: Vec<_> = keys.iter().map(is_of_dead).collect();
    assert!(of_dead.contains(&true) && of_dead.contains(&false));
    cluster.nodes_mut()[dead].kill();
    for (key, is_of_dead) in keys.iter().zip(&of_dead) {
        let answer = check(&front, key, 1_000_000);
        assert!(*is_of_dead || !is_degraded(&answer), "{key}: {answer}");
    }
    for key in &keys {
        healed(&front, key);
    }
    // It comes back as a replica, which gets no checks.
    cluster.nodes_mut()[dead].start_again();
    for key in &keys {
        healed(&front, key);
    }
}

#[test]
fn one_node_is_enough_to_find_the_others_and_a_wrong_topology_is_reported() {
    let cluster = Cluster::start(Setup::with_module, 2, false);
    let one = format!("redis+cluster://127.0.0.1:1,127.0.0.1:{}", cluster.nodes()[1].port());
    let front = front(&one, &[]);
    for key in ["a", "b", "c", "d"] {
        healed(&front, key);
    }
    let alone = Setup::with_module().start();
    let store = format!("redis+cluster://127.0.0.1:{}", alone.port());
    let no_cluster = Front::start_unready(&[&["--store", &store][..], &PATIENT].concat());
    rl_tests::eventually("the log names the cause", super::SOON, || {
        no_cluster.log().contains("cluster support disabled")
    });
    // The other way round: a node of a cluster taken for a single server.
    let single = Front::start_unready(&["--store", &cluster.nodes()[0].url(), "--workers", "1"]);
    rl_tests::eventually("the log names the cause", super::SOON, || {
        ["a", "b", "c", "d"].iter().for_each(|key| drop(check(&single, key, 5)));
        single.log().contains("use redis+cluster://")
    });
}
