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
fn stopped_for_two_seconds() {
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
fn paused() {
    // No command ends a pause of all commands: the server answers when its time is over.
    endures(Rig::on_module(), &["CLIENT PAUSE 1500 ALL"], &["PING"]).degraded();
}

#[test]
fn paused_for_writes_alone() {
    // It still answers PING.
    on_both_engines(|rig| {
        endures(rig, &["CLIENT PAUSE 60000 WRITE"], &["CLIENT UNPAUSE"]).degraded();
    });
}

#[test]
fn asleep() {
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
fn busy_with_a_script_without_end() {
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
fn full() {
    on_both_engines(|rig| {
        let aftermath = endures(rig, &["CONFIG SET maxmemory 1"], &["CONFIG SET maxmemory 0"]);
        assert_eq!(aftermath.connects.len(), 0, "a full Redis is no reason to connect again");
        aftermath.degraded();
    });
}

#[test]
fn without_the_replicas_it_needs() {
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
fn flushed() {
    let flush = |rig: &mut Rig| rig.server.run::<()>("FLUSHALL");
    Rig::on_module().endures(Duration::ZERO, Buckets::Lost, flush, |_| ());
}

#[test]
fn with_no_connection_to_spare() {
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
fn read_only() {
    on_both_engines(|rig| {
        // A replica of nobody keeps its data and takes no writes.
        endures(rig, &["REPLICAOF 127.0.0.1 1"], &["REPLICAOF NO ONE"]).degraded();
    });
}

#[test]
fn its_clients_killed() {
    endures(Rig::on_module(), &["CLIENT KILL TYPE normal"], &[]);
}

/// A front that logs in as the user `front`.
fn as_user(permissions: &str) -> Rig {
    let server = Setup::with_module().start();
    server.run::<()>(&format!("ACL SETUSER front on >old ~rl:* {permissions}"));
    Rig::on(server, "module", "front:old@", DEADLINE)
}

#[test]
fn its_password_changed() {
    let begin = ["ACL SETUSER front resetpass >new", "CLIENT KILL USER front"];
    endures(as_user("+@all"), &begin, &["ACL SETUSER front >old"]).degraded();
}

#[test]
fn its_user_deleted() {
    let again = ["ACL SETUSER front on >old ~rl:* +@all"];
    endures(as_user("+@all"), &["ACL DELUSER front"], &again).degraded();
}

#[test]
fn its_user_stripped_of_every_right() {
    endures(as_user("+@all"), &["ACL SETUSER front -@all"], &["ACL SETUSER front +@all"])
        .degraded();
}

#[test]
fn its_user_stripped_of_its_keys() {
    let begin = ["ACL SETUSER front resetkeys"];
    endures(as_user("+@all"), &begin, &["ACL SETUSER front ~rl:*"]).degraded();
}

#[test]
fn absent_at_the_start() {
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
