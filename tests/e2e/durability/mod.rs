//! Restarts and replicas hold what the primary held, and a denial writes nothing.

mod consumers;
mod stream;

use std::cell::RefCell;
use std::time::Duration;

use redis::Value;
use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{Flavour, Persistence, RedisServer, Setup, eventually};

use stream::Stream;

/// Every key with its value and absolute expiry, sorted.
fn contents(server: &RedisServer) -> Vec<(String, Vec<u8>, i64)> {
    let mut keys: Vec<String> = server.run("KEYS *");
    keys.sort();
    keys.into_iter()
        .map(|key| {
            let value = server.run(&format!("GET {key}"));
            let expires = server.expires_at(&key);
            (key, value, expires)
        })
        .collect()
}

/// Makes buckets with both engines and changes them several times; one change leaves the expiry as
/// it is.
fn fill(server: &RedisServer) {
    for key in ["a", "b", "c"] {
        for cost in ["1", "20", "0.5", "90", "3"] {
            server.run::<Value>(&format!("RL.CHECK {key} 100 100/h {cost}"));
            let mut eval = redis::cmd("EVAL");
            eval.arg(COMMANDS[CommandKind::Check as usize].script)
                .arg(1)
                .arg(&["lua", "100", "0.01", cost]);
            eval.exec(&mut server.connect()).unwrap();
        }
        server.run::<Value>(&format!("RL.TAKE {key} 100 100/h 2"));
        server.run::<Value>(&format!("RL.CHARGE {key} 100 100/h 30"));
        server.run::<Value>(&format!("RL.REFUND {key} 100 100/h 4"));
    }
    server.run::<Value>("RL.MCHECK a 100 100/h 0.25 gone 5 1/h 1");
    server.run::<Value>("RL.CHECKALL b 1000 100/h 7 c 1000 100/h 8");
    server.run::<Value>("RL.RESET gone");
}

fn survives_a_restart(persistence: Persistence) {
    let mut server = Setup::with_module().with_persistence(persistence).start();
    fill(&server);
    let before = contents(&server);
    assert_eq!(before.len(), 4);
    let digest: String = server.run("DEBUG DIGEST");
    if matches!(persistence, Persistence::Aof | Persistence::AofWithoutPreamble) {
        // Only a rewrite makes a file that starts with a snapshot, or has a command for each value.
        server.run::<()>("BGREWRITEAOF");
        eventually("the file is rewritten", Duration::from_secs(20), || {
            server.info("aof_rewrite_in_progress") == "0"
                && server.info("aof_rewrite_scheduled") == "0"
        });
        assert_eq!(server.info("aof_last_bgrewrite_status"), "ok");
    }
    server.restart();
    assert_eq!(contents(&server), before);
    assert_eq!(server.run::<String>("DEBUG DIGEST"), digest);
    server.run::<()>("DEBUG RELOAD");
    assert_eq!(contents(&server), before);
    // And without the module: nothing in the data needs it.
    if persistence != Persistence::Rdb {
        server.kill();
        server.start_again_plain();
        assert_eq!(contents(&server), before);
    }
}

#[test]
fn a_snapshot_holds_every_bucket() {
    survives_a_restart(Persistence::Rdb);
}

#[test]
fn an_append_only_file_holds_every_bucket() {
    survives_a_restart(Persistence::Aof);
}

#[test]
fn an_append_only_file_of_commands_holds_every_bucket() {
    survives_a_restart(Persistence::AofWithoutPreamble);
}

#[test]
fn a_replica_holds_every_bucket_with_or_without_the_module() {
    let primary = Setup::with_module().start();
    fill(&primary); // before they follow: arrives in the snapshot
    let replicas = [Setup::with_module().start(), Setup::plain().start()];
    for replica in &replicas {
        replica.follow(&primary);
    }
    fill(&primary); // after: arrives in the stream
    primary.run::<Value>("RL.CHECK late 10 1/h 4");
    for replica in &replicas {
        replica.catch_up(&primary);
        assert_eq!(contents(replica), contents(&primary));
        assert_eq!(replica.run::<String>("DEBUG DIGEST"), primary.run::<String>("DEBUG DIGEST"));
    }
    let [with_module, _] = &replicas;
    assert!(with_module.refusal("RL.CHECK late 10 1/h").starts_with("READONLY"));
    assert_eq!(with_module.run::<[i64; 5]>("RL.PEEK late 10 1/h 7")[..3], [0, 10, 6]);
}

#[test]
fn a_promoted_replica_without_the_module_goes_on_in_lua() {
    let primary = Setup::with_module().start();
    let replica = Setup::plain().start();
    replica.follow(&primary);
    primary.run::<Value>("RL.CHECK k 10 1/d 6");
    replica.catch_up(&primary);
    replica.run::<()>("REPLICAOF NO ONE");
    let mut eval = redis::cmd("EVAL");
    eval.arg(COMMANDS[CommandKind::Check as usize].script).arg(1).arg(&["k", "10", "0.00001", "5"]);
    let answer: [i64; 5] = eval.query(&mut replica.connect()).unwrap();
    assert_eq!(answer[..3], [0, 10, 4]);
}

#[test]
fn a_denial_replicates_nothing() {
    let primary = Setup::with_module().with_persistence(Persistence::Aof).start();
    let replica = Setup::plain().start();
    replica.follow(&primary);
    primary.run::<Value>("RL.CHECK k 10 1/d 10");
    let mut eval = redis::cmd("EVAL");
    eval.arg(COMMANDS[CommandKind::Check as usize].script).arg(1).arg(&["k", "10", "0.00001", "1"]);
    let offset = || primary.info("master_repl_offset").parse::<i64>().unwrap();
    let size = || primary.info("aof_current_size").parse::<i64>().unwrap();
    let dirty = || primary.info("rdb_changes_since_last_save").parse::<i64>().unwrap();

    // Keep-alive pings also move the offset: look for an interval without one.
    let writes_nothing = |what: &str, call: &dyn Fn()| {
        for _ in 0..20 {
            let (before, at, changes) = (offset(), size(), dirty());
            for _ in 0..100 {
                call();
            }
            assert_eq!((size(), dirty()), (at, changes), "{what}");
            if offset() == before {
                return;
            }
        }
        panic!("{what} moves the replication offset");
    };
    writes_nothing("a denied RL.CHECK", &|| {
        let answer: [i64; 5] = primary.run("RL.CHECK k 10 1/d 1");
        assert_eq!(answer[0], 0);
    });
    writes_nothing("a denied script", &|| {
        let answer: [i64; 5] = eval.query(&mut primary.connect()).unwrap();
        assert_eq!(answer[0], 0);
    });
    writes_nothing("RL.PEEK", &|| {
        primary.run::<Value>("RL.PEEK k 10 1/d");
    });

    let before = size();
    primary.run::<Value>("RL.CHECK fresh 10 1/d 1");
    assert!(size() > before, "an allowed check is written");
}

/// The commands of an append-only file of commands, without `SELECT`.
fn commands(file: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(file);
    let mut lines = text.split("\r\n");
    let mut commands = Vec::new();
    while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
        let count: usize = count.parse().expect("a length");
        let words = (0..count).map(|_| {
            lines.next().expect("a size");
            lines.next().expect("a word").to_owned()
        });
        let words: Vec<_> = words.collect();
        if !words[0].eq_ignore_ascii_case("SELECT") {
            commands.push(words);
        }
    }
    commands
}

#[test]
fn effects_are_absolute_and_one_for_each_change() {
    let server = Setup::with_module()
        .with_persistence(Persistence::AofWithoutPreamble)
        .option(&["repl-diskless-sync", "no"])
        .start();
    let stream = RefCell::new(Stream::of(&server));
    // The commands that a call sends to replicas; the append-only file must have the same.
    let effects = |run: &dyn Fn()| -> Vec<Vec<String>> {
        let before = commands(&server.append_only_file()).len();
        run();
        let written = commands(&server.append_only_file()).split_off(before);
        let sent = stream.borrow_mut().until_mark(&server);
        assert_eq!(sent, written);
        sent
    };
    for (call, expected) in [
        ("RL.CHECK k 10 1/d 4", "SET"),
        ("RL.CHECK k 10 1/d 9", ""),
        ("RL.CHECK k 10 1/d 0", ""),
        ("RL.PEEK k 10 1/d 1", ""),
        ("RL.TAKE k 10 1/d 1", "SET"),
        ("RL.CHARGE k 10 1/d 9", "SET"),
        ("RL.TAKE k 10 1/d 1", ""),
        ("RL.REFUND k 10 1/d 5", "SET"),
        ("RL.REFUND missing 10 1/d 5", ""),
        ("RL.MCHECK a 10 1/d 1 b 10 1/d 11 c 10 1/d 1", "MULTI SET SET EXEC"),
        ("RL.CHECKALL a 10 1/d 1 b 10 1/d 1", "MULTI SET SET EXEC"),
        ("RL.CHECKALL a 10 1/d 1 b 10 1/d 10", ""),
        ("RL.RESET a missing", "DEL"),
        ("RL.RESET a missing", ""),
    ] {
        let effects = effects(&|| {
            server.run::<Value>(call);
        });
        // Before Redis 7.0 even a single effect of a module is wrapped in a transaction.
        let plain = Flavour::under_test().version < (7, 0) && !expected.contains("MULTI");
        let names: Vec<String> = effects
            .iter()
            .map(|words| words[0].to_uppercase())
            .filter(|name| !(plain && matches!(name.as_str(), "MULTI" | "EXEC")))
            .collect();
        assert_eq!(names.join(" "), expected, "{call}: {effects:?}");
        for words in effects.iter().filter(|words| words[0].eq_ignore_ascii_case("SET")) {
            assert_eq!((words.len(), words[3].to_uppercase().as_str()), (5, "PXAT"), "{call}");
        }
    }
    // From transactions and scripts too, nothing that would read a clock again.
    let effects = effects(&|| {
        let mut pipe = redis::pipe();
        pipe.atomic()
            .cmd("RL.CHECK")
            .arg(&["t", "10", "1/d"])
            .cmd("RL.CHECK")
            .arg(&["t", "10", "1/d"]);
        pipe.exec(&mut server.connect()).expect("a transaction");
        let mut eval = redis::cmd("EVAL");
        eval.arg("return redis.call('RL.CHECK', KEYS[1], 10, '1/d')").arg(1).arg("t");
        eval.exec(&mut server.connect()).expect("a script");
    });
    let sets = effects.iter().filter(|words| words[0].eq_ignore_ascii_case("SET")).count();
    assert_eq!(sets, 3, "{effects:?}");
    let own = effects.iter().any(|words| words[0].to_uppercase().starts_with("RL."));
    assert!(!own, "{effects:?}");
}

#[test]
fn a_crash_in_mid_rewrite_loses_nothing_that_was_written() {
    for persistence in [Persistence::Aof, Persistence::AofWithoutPreamble] {
        let mut server = Setup::with_module().with_persistence(persistence).start();
        fill(&server);
        for round in 0..3 {
            server.run::<Value>(&format!("RL.CHECK round{round} 100 100/h 5"));
            let before = contents(&server);
            server.run::<Value>(if round == 1 { "BGSAVE" } else { "BGREWRITEAOF" });
            server.kill();
            server.start_again();
            assert_eq!(contents(&server), before, "{persistence:?}, round {round}");
        }
    }
}
