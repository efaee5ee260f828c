//! A Redis in trouble with its file.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use redis::Value;
use rl_tests::{Persistence, RedisServer, Setup, eventually};

use super::rig::{Buckets, DEADLINE, OUTAGE, Rig, SOON};

/// The file of its snapshot.
fn snapshot(server: &RedisServer) -> PathBuf {
    let [_, folder]: [String; 2] = server.run("CONFIG GET dir");
    PathBuf::from(folder).join("dump.rdb")
}

/// Starts a snapshot and waits until it ends with this status.
fn saves(server: &RedisServer, status: &str) {
    server.run::<Value>("BGSAVE");
    eventually("the snapshot ends", SOON, || {
        server.info("rdb_bgsave_in_progress") == "0"
            && server.info("rdb_last_bgsave_status") == status
    });
}

/// A Redis that cannot save refuses writes with MISCONF.
#[test]
fn a_disk_that_cannot_be_written_is_endured() {
    // A server that saves at times, though never during a test.
    let saving = |setup: Setup| setup.option(&["save", "86400", "1000000000"]).start();
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        let aftermath = Rig::on(saving(setup), engine, "", DEADLINE).endures(
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
        assert_eq!(aftermath.connects.len(), 0, "a failed snapshot is no reason to connect again");
        aftermath.degraded();
    }
}

/// Redis answers LOADING to every command until it has loaded its file.
#[test]
fn a_dump_that_loads_slowly_is_endured() {
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        // A loading server looks for commands every 2 MB: every 16 keys, or 64 ms.
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
                    assert!(rejected_calls(&rig.server) > 0, "the front sent nothing meanwhile");
                },
                |_| (),
            )
            .degraded();
    }
}

/// Commands that a server refused while it loaded, without the pings of the test.
fn rejected_calls(server: &RedisServer) -> u64 {
    let stats: String = server.run("INFO commandstats");
    let lines = stats.lines().filter(|line| !line.starts_with("cmdstat_ping:"));
    let refused = lines.filter_map(|line| line.split_once("rejected_calls=")?.1.split(',').next());
    refused.map(|count| count.parse::<u64>().expect("a number")).sum()
}
