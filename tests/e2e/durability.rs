//! Restarts and replicas hold what the primary held, and a denial writes nothing.

use redis::Value;
use rl_tests::{Persistence, RedisServer, Setup, script};

/// Every key with its value and absolute expiry, in order.
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

/// Buckets made by both engines and moved several times, one of them only without moving its expiry.
fn fill(server: &RedisServer) {
    for key in ["a", "b", "c"] {
        for cost in ["1", "20", "0.5", "90", "3"] {
            server.run::<Value>(&format!("RL.CHECK {key} 100 100/h {cost}"));
            let mut eval = redis::cmd("EVAL");
            eval.arg(script("check")).arg(1).arg(&["lua", "100", "0.01", cost]);
            eval.exec(&mut server.connect()).unwrap();
        }
    }
}

fn survives_a_restart(persistence: Persistence) {
    let mut server = Setup::with_module().keeping(persistence).start();
    fill(&server);
    let before = contents(&server);
    assert_eq!(before.len(), 4);
    let digest: String = server.run("DEBUG DIGEST");
    server.restart();
    assert_eq!(contents(&server), before);
    assert_eq!(server.run::<String>("DEBUG DIGEST"), digest);
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
    fill(&primary); // before they follow: comes in the snapshot
    let replicas = [Setup::with_module().start(), Setup::plain().start()];
    for replica in &replicas {
        replica.follow(&primary);
    }
    fill(&primary); // after: comes in the stream
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
    eval.arg(script("check")).arg(1).arg(&["k", "10", "0.00001", "5"]);
    let answer: [i64; 5] = eval.query(&mut replica.connect()).unwrap();
    assert_eq!(answer[..3], [0, 10, 4]);
}

#[test]
fn a_denial_replicates_nothing() {
    let primary = Setup::with_module().keeping(Persistence::Aof).start();
    let replica = Setup::plain().start();
    replica.follow(&primary);
    primary.run::<Value>("RL.CHECK k 10 1/d 10");
    let mut eval = redis::cmd("EVAL");
    eval.arg(script("check")).arg(1).arg(&["k", "10", "0.00001", "1"]);
    let offset = || primary.info("master_repl_offset").parse::<i64>().unwrap();
    let size = || primary.info("aof_current_size").parse::<i64>().unwrap();
    let dirty = || primary.info("rdb_changes_since_last_save").parse::<i64>().unwrap();

    // Keep-alive pings also move the offset: look for a stretch without one.
    let quiet = |what: &str, ask: &dyn Fn()| {
        for _ in 0..20 {
            let (before, at, changes) = (offset(), size(), dirty());
            for _ in 0..100 {
                ask();
            }
            assert_eq!((size(), dirty()), (at, changes), "{what}");
            if offset() == before {
                return;
            }
        }
        panic!("{what} moves the replication offset");
    };
    quiet("a denied RL.CHECK", &|| {
        let answer: [i64; 5] = primary.run("RL.CHECK k 10 1/d 1");
        assert_eq!(answer[0], 0);
    });
    quiet("a denied script", &|| {
        let answer: [i64; 5] = eval.query(&mut primary.connect()).unwrap();
        assert_eq!(answer[0], 0);
    });
    quiet("RL.PEEK", &|| {
        primary.run::<Value>("RL.PEEK k 10 1/d");
    });

    let before = size();
    primary.run::<Value>("RL.CHECK fresh 10 1/d 1");
    assert!(size() > before, "an allowed check is written");
}

#[test]
fn an_allowed_check_is_one_set_in_the_append_only_file() {
    let server = Setup::with_module().keeping(Persistence::AofWithoutPreamble).start();
    for _ in 0..3 {
        server.run::<Value>("RL.CHECK k 10 1/d 1");
    }
    server.run::<Value>("RL.CHECK k 10 1/d 9");
    let file = server.append_only_file();
    let text = String::from_utf8_lossy(&file);
    assert_eq!(text.matches("SET\r\n").count(), 3, "{text}");
    assert_eq!(text.matches("PXAT\r\n").count(), 3, "{text}");
    assert!(!text.to_lowercase().contains("rl."), "no replay may consult a clock: {text}");
}
