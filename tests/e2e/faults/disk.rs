//! A Redis in trouble with its file.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use redis::Value;
use rl_tests::{Persistence, RedisServer, Setup, eventually};

use super::rig::{Buckets, DEADLINE, OUTAGE, Rig, SOON};

/// Where it writes its snapshot to.
fn snapshot(server: &RedisServer) -> PathBuf {
    let [_, folder]: [String; 2] = server.run("CONFIG GET dir");
    PathBuf::from(folder).join("dump.rdb")
}

/// Has it write one, and waits until that has ended so.
fn saves(server: &RedisServer, status: &str) {
    server.run::<Value>("BGSAVE");
    eventually("the snapshot ends", SOON, || {
        server.info("rdb_bgsave_in_progress") == "0"
            && server.info("rdb_last_bgsave_status") == status
    });
}

/// Redis takes no writes then, and says MISCONF to whoever has some.
#[test]
fn that_cannot_be_written() {
    // A server that is to save at times, if not in the time of a test.
    let saving = |setup: Setup| setup.option(&["save", "86400", "1000000000"]).start();
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        let told = Rig::on(saving(setup), engine, "", DEADLINE).endures(
            OUTAGE,
            Buckets::Kept,
            |rig| {
                fs::create_dir(snapshot(&rig.server)).expect("a folder in its place");
                saves(&rig.server, "err");
                let refusal = rig.server.refusal("SET k v");
                assert!(refusal.starts_with("MISCONF"), "{refusal}");
            },
            |rig| {
                fs::remove_dir(snapshot(&rig.server)).expect("the folder gone");
                saves(&rig.server, "ok");
            },
        );
        assert_eq!(told.connects.len(), 0, "it is no reason to connect again");
        told.degraded();
    }
}

/// Redis says LOADING to all until it is done.
#[test]
fn that_takes_long_to_read() {
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        // While it loads it looks up every 2 MB: 16 keys, 64 ms.
        let slowly = setup.option(&["key-load-delay", "4000"]).option(&["rdbcompression", "no"]);
        let server = slowly.with_persistence(Persistence::Rdb).start();
        server.run::<()>("DEBUG POPULATE 400 key 131072");
        Rig::on(server, engine, "", DEADLINE)
            .endures(
                Duration::ZERO,
                Buckets::Kept,
                |rig| {
                    let since = Instant::now();
                    rig.server.restart();
                    assert!(since.elapsed() > Duration::from_secs(1), "{:?}", since.elapsed());
                    assert!(told_to_wait(&rig.server) > 0, "the front did not ask meanwhile");
                },
                |_| (),
            )
            .degraded();
    }
}

/// How many commands a server that has just loaded refused, without those of the test that waits for it.
fn told_to_wait(server: &RedisServer) -> u64 {
    let stats: String = server.run("INFO commandstats");
    let lines = stats.lines().filter(|line| !line.starts_with("cmdstat_ping:"));
    let refused = lines.filter_map(|line| line.split_once("rejected_calls=")?.1.split(',').next());
    refused.map(|count| count.parse::<u64>().expect("a number")).sum()
}
