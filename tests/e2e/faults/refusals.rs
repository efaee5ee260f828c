//! A Redis that answers and refuses: what the front says of it, and when it says it is over.

use std::env;
use std::net::TcpStream;
use std::process::Command;

use redis::Value;
use rl_tests::{
    ChildProcess, Cluster, FaultProxy, Flavour, Front, RedisServer, Relay, Setup, eventually,
    free_port, skip,
};
use serde_json::json;

use super::rig::SOON;

/// A long deadline, so that a busy machine degrades no answer that should come from Redis.
const PATIENT: [&str; 2] = ["--deadline-ms", "10000"];
const USER: &str = "ACL SETUSER front on >secret ~rl:*";
/// As Upstash words it.
const QUOTA: &str = "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.";
/// Runs fakeredis, which is a server in Python, on a port.
const FAKEREDIS: &str = "
import sys
from fakeredis import TcpFakeServer
TcpFakeServer(('127.0.0.1', int(sys.argv[1]))).serve_forever()
";

/// A front that logs in as the user of [`USER`], with a proxy before its Redis.
fn front(proxy: &FaultProxy, engine: &str) -> Front {
    front_at(&proxy.url().replace("//", "//front:secret@"), engine)
}

fn front_at(store: &str, engine: &str) -> Front {
    let flags = ["--store", store, "--engine", engine, "--workers", "2"];
    Front::start(&[&flags[..], &PATIENT].concat())
}

fn run(server: &RedisServer, command: &str) {
    server.run::<Value>(command);
}

fn is_degraded(front: &Front, key: usize) -> bool {
    front.check(&json!({ "key": format!("key:{key}") }).to_string())["degraded"] == json!(true)
}

/// The store in `/health/ready`, its cause, and the metric.
fn state(front: &Front) -> (String, String, u64) {
    let ready = front.get("/health/ready");
    assert_eq!(ready.status, 200, "a degraded front is in service");
    let text = |field: &str| ready.body[field].as_str().unwrap_or_default().to_owned();
    (text("store"), text("cause"), front.metric("rl_redis_refusing") as u64)
}

#[track_caller]
fn is_up(front: &Front) {
    assert_eq!(state(front), ("up".to_owned(), String::new(), 0), "{}", front.log());
}

#[track_caller]
fn is_refusing(front: &Front, cause: &str) {
    let (store, reason, metric) = state(front);
    assert_eq!((store.as_str(), metric), ("refusing", 1), "{}", front.log());
    assert!(reason.contains(cause), "{reason}");
}

/// Lets Redis refuse from one command to another.
#[track_caller]
fn refuses(server: &RedisServer, engine: &str, cause: &str, [begin, end]: [&str; 2]) {
    run(server, &format!("{USER} +@all"));
    let proxy = FaultProxy::start(server.port());
    let start = || front(&proxy, engine);
    refuses_between(&proxy, start, cause, [&|| run(server, begin), &|| run(server, end)]);
}

/// Lets Redis refuse from `begin` to `end`, three times: it accepts again while nobody asks, then
/// with a check, and the third time a front starts meanwhile.
#[track_caller]
fn refuses_between(
    proxy: &FaultProxy,
    start: impl Fn() -> Front,
    cause: &str,
    [begin, end]: [&dyn Fn(); 2],
) {
    let front = start();
    eventually("both workers are connected", SOON, || front.links() == 2);
    is_up(&front);
    let connections = proxy.connection_times().len();

    begin();
    for key in 0..40 {
        assert!(is_degraded(&front, key), "{}", front.log());
    }
    is_refusing(&front, cause);
    end();
    eventually("it is seen to accept again", SOON, || state(&front).0 == "up");
    is_up(&front);
    for key in 0..10 {
        assert!(!is_degraded(&front, key), "{}", front.log());
    }
    let log = front.log();
    for line in ["refuses requests", "accepts requests again"] {
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
    assert!(log.contains(cause) && !log.contains("redis request failed"), "{log}");

    begin();
    assert!(is_degraded(&front, 100));
    is_refusing(&front, cause);
    end();
    assert!(!is_degraded(&front, 101));
    is_up(&front);

    begin();
    let late = start();
    is_refusing(&late, cause);
    end();
    eventually("the late front sees it accept", SOON, || state(&late).0 == "up");
    drop(late);
    let workers = 2;
    assert_eq!(proxy.connection_times().len(), connections + workers, "{}", front.log());
}

#[test]
fn a_full_redis_is_told_from_one_that_is_down() {
    for (engine, setup) in [("module", Setup::with_module()), ("lua", Setup::plain())] {
        let server = setup.start();
        let full = ["CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"];
        refuses(&server, engine, "OOM", full);
    }
}

#[test]
fn a_redis_without_its_replicas_is_told_from_one_that_is_down() {
    let lonely = ["CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"];
    refuses(&Setup::with_module().start(), "module", "NOREPLICAS", lonely);
    // Before Redis 7.0 this does not bind the writes of a script.
    if Flavour::under_test().version >= (7, 0) {
        refuses(&Setup::plain().start(), "lua", "NOREPLICAS", lonely);
    }
}

#[test]
fn a_user_whose_scripts_may_not_write_is_told_from_a_redis_that_is_down() {
    let rights = ["ACL SETUSER front -set", "ACL SETUSER front +set"];
    refuses(&Setup::plain().start(), "lua", "", rights);
}

#[test]
fn a_quota_used_up_is_told_from_a_redis_that_is_down() {
    for (engine, setup) in [("module", Setup::with_module()), ("lua", Setup::plain())] {
        let server = setup.start();
        let relay = Relay::start(server.port());
        let proxy = FaultProxy::start(relay.port());
        let start = || front_at(&proxy.url(), engine);
        refuses_between(&proxy, start, QUOTA, [&|| relay.refuse(QUOTA), &|| relay.accept()]);
    }
}

#[test]
fn the_scripts_are_found_although_everything_is_refused_at_first() {
    let server = Setup::plain().start();
    let relay = Relay::start(server.port());
    relay.refuse(QUOTA);
    let front = front_at(&format!("redis://127.0.0.1:{}", relay.port()), "auto");
    is_refusing(&front, QUOTA);
    assert!(is_degraded(&front, 0));
    relay.accept();
    eventually("it accepts", SOON, || state(&front).0 == "up");
    assert!((0..10).all(|key| !is_degraded(&front, key)), "{}", front.log());
    assert_eq!(front.get("/health/ready").body["engine"], json!("lua"));
    assert!(!front.log().contains("lost"), "{}", front.log());
}

#[test]
fn a_server_whose_scripts_lack_a_library_is_told_from_one_that_is_down() {
    let Some(packages) = env::var_os("RL_FAKEREDIS") else {
        skip!("RL_FAKEREDIS names no folder of Python packages: scripts/test --servers installs it")
    };
    let port = free_port();
    let mut python = Command::new("python3");
    python.args(["-c", FAKEREDIS, &port.to_string()]).env("PYTHONPATH", packages);
    let server = ChildProcess::launch(&mut python);
    eventually("it listens", SOON, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    for engine in ["auto", "lua"] {
        let front = front_at(&format!("redis://127.0.0.1:{port}"), engine);
        eventually("both workers are connected", SOON, || front.links() == 2);
        is_refusing(&front, "attempt to index global 'struct' (a nil value)");
        assert!((0..40).all(|key| is_degraded(&front, key)), "{}", server.output());
        let (_, cause, _) = state(&front);
        assert!(!cause.contains('\n'), "one line is enough: {cause}");
        let log = front.log();
        assert_eq!(log.matches("refuses requests").count(), 1, "{log}");
        assert!(!log.contains("redis request failed") && !log.contains("lost"), "{log}");
    }
}

#[test]
fn a_permission_that_connecting_needs_is_named_and_nothing_flaps() {
    let server = Setup::with_module().start();
    run(&server, &format!("{USER} -@all +ping +role +rl.peek"));
    let proxy = FaultProxy::start(server.port());
    let store = proxy.url().replace("//", "//front:secret@");
    for (engine, cause) in [
        ("module", "NOPERM RL.CHECK may not be run by this user"),
        ("auto", "NOPERM SCRIPT LOAD may not be run by this user, nor RL.CHECK"),
    ] {
        let flags = ["--store", &store, "--engine", engine, "--workers", "1"];
        let front = Front::start_unready(&[&flags[..], &PATIENT].concat());
        eventually("the log names the command", SOON, || front.log().contains(cause));
        assert!((0..40).all(|key| is_degraded(&front, key)));
        assert_eq!(front.get("/health/ready").body["store"], json!("down"));
        let log = front.log();
        assert!(!log.contains("redis is up") && !log.contains("lost"), "{log}");
    }
}

#[test]
fn a_command_that_may_not_be_run_is_refused_alone() {
    let server = Setup::with_module().start();
    run(&server, &format!("{USER} +@all -rl.take"));
    let proxy = FaultProxy::start(server.port());
    let front = front(&proxy, "module");
    eventually("both workers are connected", SOON, || front.links() == 2);
    let connections = proxy.connection_times().len();
    for key in 0..40 {
        let take = front.post("/take", &json!({ "key": format!("key:{key}") }).to_string());
        assert_eq!(take.body["degraded"], json!(true), "{}", take.body);
        assert!(!is_degraded(&front, key), "{}", front.log());
    }
    let log = front.log();
    assert!(log.contains("redis request failed: NOPERM RL.TAKE may not be run"), "{log}");
    is_up(&front);
    assert_eq!(proxy.connection_times().len(), connections, "{log}");
}

#[test]
fn a_server_without_an_engine_is_told_from_a_user_without_permission() {
    let server = Setup::plain().option(&["rename-command", "SCRIPT", "hidden"]).start();
    let front = Front::start_unready(&["--store", &server.url(), "--workers", "1"]);
    eventually("the log names what is missing", SOON, || {
        front.log().contains("the server has neither RL.CHECK nor SCRIPT LOAD")
    });
    assert!(!front.log().contains("NOPERM"), "{}", front.log());
}

#[test]
fn an_idle_front_raises_no_errors_and_misses_no_keys() {
    for (engine, setup) in [("module", Setup::with_module as fn() -> Setup), ("lua", Setup::plain)]
    {
        let cluster = Cluster::start(setup, 3, false);
        let flags = ["--store", &cluster.url(), "--engine", engine, "--workers", "1"];
        let front = Front::start(&[&flags[..], &PATIENT].concat());
        eventually("every node decides", SOON, || !(0..30).any(|key| is_degraded(&front, key)));
        let field = |text: &str, start: &str, end: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or("0");
            rest.split(end).next().and_then(|it| it.parse::<u64>().ok()).expect("a number")
        };
        let counts = || {
            cluster.nodes().iter().map(|node| {
                let errors = node.run::<String>("INFO errorstats");
                let stats = node.run::<String>("INFO stats");
                let moved = field(&errors, "errorstat_MOVED:count=", ",");
                (moved, field(&stats, "keyspace_misses:", ","))
            })
        };
        let before: Vec<_> = counts().collect();
        cluster.nodes().iter().for_each(|node| {
            eventually("a few heartbeats", SOON, || {
                let stats = node.run::<String>("INFO commandstats");
                field(&stats, "cmdstat_ping:calls=", ",") >= 4
            });
        });
        assert_eq!(counts().collect::<Vec<_>>(), before, "{engine}");
        assert_eq!(state(&front).0, "up");
    }
}
