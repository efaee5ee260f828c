//! Effects are made only for an audience (the module's `audience.rs`): whoever joins it, at whatever moment, must
//! miss nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use redis::Value;
use rl_tests::{RedisServer, Setup, StopOnDrop, eventually};

use super::{contents, fill};

/// Checks on many keys, one after the other, until `done` says so.
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
fn whoever_comes_in_mid_traffic_misses_nothing() {
    for option in [["repl-diskless-sync", "yes"], ["repl-diskless-sync", "no"]] {
        let primary = Setup::with_module().option(&option).start();
        let replicas = [Setup::plain().start(), Setup::with_module().start()];
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let over = StopOnDrop(&done);
            scope.spawn(|| check_until(&primary, &done));
            let same = |replica: &RedisServer, when: &str| {
                primary.run::<Value>("CLIENT PAUSE 30000 WRITE");
                replica.catch_up(&primary);
                assert_eq!(contents(replica), contents(&primary), "{option:?}: {when}");
                primary.run::<Value>("CLIENT UNPAUSE");
            };
            let [first, second] = &replicas;
            first.follow(&primary);
            same(first, "the first comes");
            second.follow(&primary);
            same(second, "a second comes");
            for replica in &replicas {
                replica.run::<()>("REPLICAOF NO ONE");
            }
            // Nobody follows now, but the backlog does, for who comes back.
            eventually("both are gone", Duration::from_secs(20), || {
                primary.info("connected_slaves") == "0"
            });
            second.follow(&primary);
            same(second, "one comes back");
            primary.run::<()>("CONFIG SET appendonly yes");
            eventually("the file is there", Duration::from_secs(20), || {
                primary.info("aof_rewrite_in_progress") == "0"
                    && primary.info("aof_rewrite_scheduled") == "0"
            });
            drop(over);
        });
        let before = contents(&primary);
        primary.run::<()>("DEBUG LOADAOF");
        assert_eq!(contents(&primary), before, "{option:?}: from its file");
    }
}

#[test]
fn a_promoted_replica_has_an_audience_of_its_own() {
    let primary = Setup::with_module().start();
    let heir = Setup::with_module().start();
    fill(&heir); // when it was alone
    heir.follow(&primary);
    primary.run::<Value>("RL.CHECK k 10 1/d 2");
    heir.catch_up(&primary);
    heir.run::<()>("REPLICAOF NO ONE");
    heir.run::<Value>("RL.CHECK k 10 1/d 3");
    // What it wrote since then comes to the old primary as the rest of one history, not as a copy.
    primary.follow(&heir);
    heir.run::<Value>("RL.CHECK k 10 1/d 4");
    primary.catch_up(&heir);
    assert_eq!(contents(&primary), contents(&heir));
    assert_eq!(heir.run::<[i64; 5]>("RL.PEEK k 10 1/d")[2], 1);
}

#[test]
fn without_an_audience_a_change_still_counts_for_the_next_snapshot() {
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
