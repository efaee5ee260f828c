//! The module replicates only while something consumes the stream: a replica, the backlog or an
//! append-only file. A consumer that starts at any moment must miss nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redis::Value;
use rl_tests::{RedisServer, Setup, StopOnDrop, eventually};

use super::{contents, fill};

/// Checks many keys, one after the other, until `done`.
fn check_until(server: &RedisServer, done: &AtomicBool) {
    let mut connection = server.connect();
    for key in (0..100).cycle() {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let mut check = redis::cmd("RL.CHECK");
        check.arg(key).arg(&["1000000000", "1/d", "0.5"]).exec(&mut connection).expect("a check");
    }
}

#[test]
fn consumers_that_attach_under_load_miss_nothing() {
    for option in [["repl-diskless-sync", "yes"], ["repl-diskless-sync", "no"]] {
        let primary = Setup::with_module().option(&option).start();
        let replicas = [Setup::plain().start(), Setup::with_module().start()];
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let end = StopOnDrop(&done);
            scope.spawn(|| check_until(&primary, &done));
            let assert_same = |replica: &RedisServer, when: &str| {
                primary.run::<Value>("CLIENT PAUSE 30000 WRITE");
                replica.catch_up(&primary);
                assert_eq!(contents(replica), contents(&primary), "{option:?}: {when}");
                primary.run::<Value>("CLIENT UNPAUSE");
            };
            let [first, second] = &replicas;
            first.follow(&primary);
            assert_same(first, "the first replica");
            second.follow(&primary);
            assert_same(second, "the second replica");
            for replica in &replicas {
                replica.run::<()>("REPLICAOF NO ONE");
            }
            // No replica is left, but the backlog still consumes, for one that comes back.
            eventually("both replicas are gone", Duration::from_secs(20), || {
                primary.info("connected_slaves") == "0"
            });
            second.follow(&primary);
            assert_same(second, "a replica that comes back");
            primary.run::<()>("CONFIG SET appendonly yes");
            eventually("the append-only file is written", Duration::from_secs(20), || {
                primary.info("aof_rewrite_in_progress") == "0"
                    && primary.info("aof_rewrite_scheduled") == "0"
            });
            drop(end);
        });
        let before = contents(&primary);
        primary.run::<()>("DEBUG LOADAOF");
        assert_eq!(contents(&primary), before, "{option:?}: after loading the file");
    }
}

#[test]
fn a_promoted_replica_has_consumers_of_its_own() {
    let primary = Setup::with_module().start();
    let promoted = Setup::with_module().start();
    fill(&promoted); // without consumers
    promoted.follow(&primary);
    primary.run::<Value>("RL.CHECK k 10 1/d 2");
    promoted.catch_up(&primary);
    promoted.run::<()>("REPLICAOF NO ONE");
    promoted.run::<Value>("RL.CHECK k 10 1/d 3");
    // The old primary gets its later writes as the continuation of one history, not as a copy.
    primary.follow(&promoted);
    promoted.run::<Value>("RL.CHECK k 10 1/d 4");
    primary.catch_up(&promoted);
    assert_eq!(contents(&primary), contents(&promoted));
    assert_eq!(promoted.run::<[i64; 5]>("RL.PEEK k 10 1/d")[2], 1);
}

#[test]
fn without_consumers_a_change_still_counts_for_the_next_snapshot() {
    let server = Setup::with_module().start();
    let changes = || server.info("rdb_changes_since_last_save").parse::<i64>().unwrap();
    server.run::<Value>("RL.CHECK k 10 1/d 1");
    let before = changes();
    server.run::<Value>("RL.CHECK k 10 1/d 1");
    server.run::<Value>("RL.MCHECK k 10 1/d 1 other 10 1/d 1");
    assert!(changes() >= before + 2, "{} after {before}", changes());
    let before = changes();
    server.run::<Value>("RL.CHECK k 10 1/d 10");
    assert_eq!(changes(), before, "a denial");
}
