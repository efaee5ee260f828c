//! A Redis that is reachable and does not decide.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;
use rl_tests::{FaultProxy, Flavour, Front, RedisServer, Setup, eventually};
use serde_json::json;

use super::aftermath::Aftermath;
use super::rig::{Buckets, DEADLINE, OUTAGE, Rig};

/// A fault that some commands cause and others heal.
#[track_caller]
fn endures(rig: Rig, begin: &[&str], end: &[&str]) -> Aftermath {
    let run = |server: &RedisServer, commands: &[&str]| {
        for command in commands {
            server.run::<Value>(command);
        }
    };
    let (begin, end) =
        (|rig: &mut Rig| run(&rig.server, begin), |rig: &mut Rig| run(&rig.server, end));
    rig.endures(OUTAGE, Buckets::Kept, begin, end)
}

fn on_both_engines(test: impl Fn(Rig)) {
    test(Rig::on_module());
    test(Rig::on_scripts());
}

#[test]
fn a_stopped_redis_is_endured() {
    let aftermath = Rig::on_module().endures(
        Duration::from_secs(2),
        Buckets::Kept,
        |rig| rig.server.signal("STOP"),
        |rig| rig.server.signal("CONT"),
    );
    assert!(aftermath.during.median() < 3 * DEADLINE, "{:?}", aftermath.during.median());
    aftermath.degraded();
}

#[test]
fn a_paused_redis_is_endured() {
    // No command ends a pause of all commands: the server answers when its time is over.
    endures(Rig::on_module(), &["CLIENT PAUSE 1500 ALL"], &["PING"]).degraded();
}

#[test]
fn a_redis_paused_for_writes_is_endured() {
    // It still answers PING.
    on_both_engines(|rig| {
        endures(rig, &["CLIENT PAUSE 60000 WRITE"], &["CLIENT UNPAUSE"]).degraded();
    });
}

#[test]
fn a_sleeping_redis_is_endured() {
    let mut sleeper = None;
    Rig::on_module()
        .endures(
            OUTAGE,
            Buckets::Kept,
            |rig| {
                let mut connection = rig.server.connect();
                let sleep =
                    move || redis::cmd("DEBUG").arg(&["SLEEP", "1.5"]).exec(&mut connection);
                sleeper = Some(thread::spawn(sleep));
            },
            |rig| rig.server.run("PING"),
        )
        .degraded();
    sleeper.map(|it| it.join().expect("a thread").expect("to sleep")).expect("a sleeper");
}

#[test]
fn a_redis_busy_with_an_endless_script_is_endured() {
    // First it does not answer, then it answers BUSY.
    let server = Setup::with_module().option(&["lua-time-limit", "500"]).start();
    let mut busy = None;
    Rig::on(server, "module", "", DEADLINE)
        .endures(
            OUTAGE,
            Buckets::Kept,
            |rig| {
                let mut connection = rig.server.connect();
                let forever = move || {
                    redis::cmd("EVAL").arg(&["while true do end", "0"]).exec(&mut connection)
                };
                busy = Some(thread::spawn(forever));
            },
            |rig| rig.server.run("SCRIPT KILL"),
        )
        .degraded();
    let ended = busy.map(|it| it.join().expect("a thread")).expect("a script");
    assert!(ended.is_err(), "it was killed");
}

#[test]
fn a_redis_with_full_memory_is_endured() {
    on_both_engines(|rig| {
        let aftermath = endures(rig, &["CONFIG SET maxmemory 1"], &["CONFIG SET maxmemory 0"]);
        assert_eq!(aftermath.connects.len(), 0, "a full Redis is no reason to connect again");
        aftermath.degraded();
    });
}

#[test]
fn a_redis_without_enough_replicas_is_endured() {
    let without_replicas = |rig| {
        let begin = ["CONFIG SET min-replicas-to-write 1"];
        let aftermath = endures(rig, &begin, &["CONFIG SET min-replicas-to-write 0"]);
        assert_eq!(
            aftermath.connects.len(),
            0,
            "a Redis without replicas is no reason to connect again"
        );
        aftermath
    };
    without_replicas(Rig::on_module()).degraded();
    let aftermath = without_replicas(Rig::on_scripts());
    // Before Redis 7.0 this does not bind the writes of a script.
    if Flavour::under_test().version >= (7, 0) {
        aftermath.degraded();
    }
}

#[test]
fn a_flushed_redis_is_endured() {
    let flush = |rig: &mut Rig| rig.server.run::<()>("FLUSHALL");
    Rig::on_module().endures(Duration::ZERO, Buckets::Lost, flush, |_| ());
}

#[test]
fn a_redis_without_free_connections_is_endured() {
    let guard = RefCell::new(None);
    Rig::on_module()
        .endures(
            OUTAGE,
            Buckets::Kept,
            |rig| {
                let mut connection = rig.server.connect();
                for words in ["CONFIG SET maxclients 1", "CLIENT KILL TYPE normal"] {
                    let words: Vec<_> = words.split(' ').collect();
                    redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).expect("to run");
                }
                guard.replace(Some(connection));
            },
            |_| {
                let mut connection = guard.take().expect("the one connection");
                let more = ["SET", "maxclients", "10000"];
                redis::cmd("CONFIG").arg(&more).exec(&mut connection).expect("to run");
            },
        )
        .degraded();
}

#[test]
fn scripts_flushed_without_end_degrade_nothing() {
    let server = Setup::plain().start();
    Rig::on(server, "lua", "", Duration::from_secs(10))
        .endures(
            OUTAGE,
            Buckets::Kept,
            |rig| {
                let until = Instant::now() + OUTAGE;
                while Instant::now() < until {
                    rig.server.run::<()>("SCRIPT FLUSH");
                }
            },
            |_| (),
        )
        .not_degraded();
}

#[test]
fn a_read_only_redis_is_endured() {
    on_both_engines(|rig| {
        // A replica of nobody keeps its data and takes no writes.
        endures(rig, &["REPLICAOF 127.0.0.1 1"], &["REPLICAOF NO ONE"]).degraded();
    });
}

#[test]
fn killed_connections_are_endured() {
    endures(Rig::on_module(), &["CLIENT KILL TYPE normal"], &[]);
}

/// A front that logs in as the user `front`.
fn as_user(permissions: &str) -> Rig {
    let server = Setup::with_module().start();
    server.run::<()>(&format!("ACL SETUSER front on >old ~rl:* {permissions}"));
    Rig::on(server, "module", "front:old@", DEADLINE)
}

#[test]
fn a_changed_password_is_endured() {
    let begin = ["ACL SETUSER front resetpass >new", "CLIENT KILL USER front"];
    endures(as_user("+@all"), &begin, &["ACL SETUSER front >old"]).degraded();
}

#[test]
fn a_deleted_user_is_endured() {
    let again = ["ACL SETUSER front on >old ~rl:* +@all"];
    endures(as_user("+@all"), &["ACL DELUSER front"], &again).degraded();
}

#[test]
fn a_user_without_rights_is_endured() {
    endures(as_user("+@all"), &["ACL SETUSER front -@all"], &["ACL SETUSER front +@all"])
        .degraded();
}

#[test]
fn a_user_without_keys_is_endured() {
    let begin = ["ACL SETUSER front resetkeys"];
    endures(as_user("+@all"), &begin, &["ACL SETUSER front ~rl:*"]).degraded();
}

#[test]
fn a_redis_absent_at_the_start_is_endured() {
    let mut server = Setup::with_module().start();
    let proxy = FaultProxy::start(server.port());
    server.kill();
    let front = Front::start_unready(&["--store", &proxy.url(), "--workers", "1"]);
    let check = || front.check(r#"{"key":"k"}"#);
    for _ in 0..20 {
        assert_eq!(check()["degraded"], json!(true));
    }
    server.start_again();
    let normal = || check()["degraded"] == json!(null);
    eventually("Redis is found", Duration::from_secs(4), normal);
    assert_eq!(front.get("/health/ready").status, 200);
}
