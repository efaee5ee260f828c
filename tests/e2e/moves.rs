//! Moves from the scripts to the module and back, as in `docs/deploy.md`: no bucket is lost.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rl_tests::{
    Cluster, Flavour, Front, Persistence, RedisServer, Sentinels, Setup, eventually, module_path,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn front(store: &str) -> Front {
    Front::start(&["--store", store, "--workers", "2", "--deadline-ms", "10000"])
}

fn check(front: &Front) -> Value {
    front.check(r#"{"key":"story","capacity":1000,"rate":"1/d"}"#)
}

/// Waits until every worker uses this engine.
fn uses(front: &Front, engine: &str) {
    eventually(&format!("the front uses the {engine}"), SOON, || {
        check(front); // so that workers notice lost connections
        front.links() == 2 && front.get("/health/ready").body["engine"] == json!(engine)
    });
}

/// The stored state of the bucket.
fn stored(server: &RedisServer) -> Vec<u8> {
    server.run("GET rl:{story}:inline")
}

/// Waits until Redis decides, and asserts that each answer continues from the last.
fn goes_on(front: &Front) {
    let left = |answer: Value| match answer["degraded"] {
        Value::Null => answer["remaining"].as_u64(),
        _ => None,
    };
    eventually("each answer continues from the last", SOON, || {
        let last = left(check(front));
        last.is_some() && last == left(check(front)).map(|left| left + 1)
    });
}

#[test]
fn a_running_redis_gets_the_module() {
    let Flavour { is_valkey, version } = Flavour::under_test();
    // Before Redis 7.0 MODULE needs no option.
    let needs_option = *is_valkey || *version >= (7, 0);
    let option: &[&str] = if needs_option { &["enable-module-command", "yes"] } else { &[] };
    let server = Setup::plain().option(option).start();
    let front = front(&server.url());
    uses(&front, "lua");
    let before = stored(&server);
    server.run::<()>(&format!("MODULE LOAD {}", module_path().display()));
    assert_eq!(stored(&server), before);
    goes_on(&front); // in Lua, on the existing connections
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    uses(&front, "module");
    goes_on(&front);
    assert!(server.info("rl_checks").parse::<u64>().expect("a number") > 0);
}

#[test]
fn a_restart_brings_the_module_or_takes_it_away() {
    let mut server = Setup::plain().with_persistence(Persistence::Aof).start();
    let front = front(&server.url());
    uses(&front, "lua");
    for engine in ["module", "lua"] {
        goes_on(&front);
        let before = stored(&server);
        server.kill();
        match engine {
            "module" => server.start_again_with_module(),
            _ => server.start_again_plain(),
        }
        assert_eq!(stored(&server), before);
        uses(&front, engine);
        goes_on(&front);
    }
}

#[test]
fn a_replica_with_the_module_takes_over() {
    let (old, new) = (Setup::plain().start(), Setup::with_module().start());
    new.follow(&old);
    let sentinels = Sentinels::watch(&old, 1);
    let front = front(&sentinels.url());
    uses(&front, "lua");
    goes_on(&front);
    new.catch_up(&old);
    let before = stored(&old);
    sentinels.fail_over();
    // Redis closes connections when its role changes.
    let role = || new.try_run::<String>("INFO replication").unwrap_or_default();
    eventually("the replica is the primary", SOON, || role().contains("role:master"));
    // No check came meanwhile, so everything was replicated.
    assert_eq!(stored(&new), before);
    uses(&front, "module");
    // The old primary still answers workers that have not heard of it, for a second at most.
    eventually("every worker uses the new primary", SOON, || {
        let (clients, left) = (new.run::<String>("CLIENT LIST"), stored(&old));
        check(&front);
        check(&front);
        clients.matches(" name=rl-server ").count() == 2 && stored(&old) == left
    });
    goes_on(&front);
}

/// Runs `rl-server export` on this store.
fn export(store: &str) -> Output {
    Front::run(&["export", "--store", store])
}

/// Runs `redis-cli --pipe` with exported commands.
fn import(server: &RedisServer, commands: &[u8]) {
    let mut pipe = Command::new("redis-cli")
        .args(["-p", &server.port().to_string(), "--pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-cli, which comes with redis-server");
    pipe.stdin.take().expect("a pipe").write_all(commands).expect("to be read");
    let output = pipe.wait_with_output().expect("an end");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && stdout.contains("errors: 0"), "{stdout}");
}

#[test]
fn buckets_move_to_another_server() {
    let (old, new) = (Setup::plain().start(), Setup::with_module().start());
    let front = front(&old.url());
    goes_on(&front);
    let many = (0..1000).map(|i| format!(r#"{{"key":"k{i}","capacity":10,"rate":"1/d"}}"#));
    let many = many.collect::<Vec<_>>().join(",");
    assert_eq!(front.post("/check/batch", &format!(r#"{{"checks":[{many}]}}"#)).status, 200);
    // Values that are no buckets stay behind, and buckets that are there already are newer.
    old.run::<()>("SET rl:text 1234567890123456789012345");
    old.run::<()>(&format!("SETRANGE rl:large {} x", 8 << 20));
    old.run::<()>("HSET rl:hash field value");
    old.run::<()>("SET other 1");
    new.run::<()>("SET rl:{k7}:inline newer");

    let exported = export(&old.url());
    let stderr = String::from_utf8_lossy(&exported.stderr).into_owned();
    assert!(exported.status.success() && stderr.contains("buckets: 1001\n"), "{stderr}");
    import(&new, &exported.stdout);
    assert_eq!(new.run::<u64>("DBSIZE"), 1001);
    assert_eq!(new.run::<String>("GET rl:{k7}:inline"), "newer");
    for key in ["rl:{story}:inline", "rl:{k0}:inline", "rl:{k999}:inline"] {
        let value = |server: &RedisServer| server.run::<Vec<u8>>(&format!("GET {key}"));
        assert_eq!(value(&new), value(&old));
        assert_eq!(new.expires_at(key), old.expires_at(key));
    }
    let left = check(&front)["remaining"].as_u64().expect("a number");
    let moved = self::front(&new.url());
    assert_eq!(check(&moved)["remaining"], left); // each server has taken one token since
}

#[test]
fn buckets_are_exported_from_every_node_of_a_cluster() {
    let cluster = Cluster::start(Setup::plain, 3, false);
    let front = Front::start(&["--store", &cluster.url(), "--deadline-ms", "10000"]);
    for i in 0..30 {
        let body = format!(r#"{{"key":"k{i}","capacity":10,"rate":"1/d"}}"#);
        // A front is ready before it has connected to every node.
        eventually("redis decides", SOON, || front.check(&body)["degraded"] == Value::Null);
    }
    assert!(cluster.nodes().iter().all(|node| node.run::<u64>("DBSIZE") > 0));
    let new = Setup::with_module().start();
    import(&new, &export(&cluster.url()).stdout);
    assert_eq!(new.run::<u64>("DBSIZE"), 30);
}

#[test]
fn an_incomplete_export_is_an_error() {
    let server = Setup::plain().start();
    server.run::<()>("ACL SETUSER reader on >hunter2 ~rl:* +getrange");
    let store = server.url().replace("redis://", "redis://reader:hunter2@");
    let output = export(&store);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("NOPERM SCAN may not be run by this user") && !stderr.contains("hunter2"),
        "{stderr}"
    );
    server.run::<()>("ACL SETUSER reader +scan");
    assert!(export(&store).status.success());
    let output = export("memory");
    assert_eq!(output.status.code(), Some(2));
}
