//! From the scripts to the module and back, each way of `docs/deploy.md`: no bucket is lost.

use std::time::Duration;

use rl_tests::{
    Flavour, Front, Persistence, RedisServer, Sentinels, Setup, eventually, module_path,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn front(store: &str) -> Front {
    Front::start(&["--store", store, "--workers", "2", "--deadline-ms", "10000"])
}

fn check(front: &Front) -> Value {
    front.check(r#"{"key":"story","capacity":1000,"rate":"1/d"}"#)
}

/// Waits until each worker asks this engine.
fn asks(front: &Front, engine: &str) {
    eventually(&format!("the front asks the {engine}"), SOON, || {
        check(front); // whoever met a lost connection finds that out
        front.links() == 2 && front.get("/health/ready").body["engine"] == json!(engine)
    });
}

/// What is in the bucket, as Redis has it.
fn stored(server: &RedisServer) -> Vec<u8> {
    server.run("GET rl:{story}:inline")
}

/// The last answer was Redis's, and the next goes on from it.
fn goes_on(front: &Front) {
    let left = |answer: &Value| {
        assert_eq!(answer["degraded"], Value::Null, "{answer}");
        answer["remaining"].as_u64().expect("a number")
    };
    assert_eq!(left(&check(front)), left(&check(front)) + 1);
}

#[test]
fn a_running_redis_gets_the_module() {
    let Flavour { valkey, version } = Flavour::under_test();
    // Before Redis 7.0 whoever may say MODULE may load one.
    let guarded = *valkey || *version >= (7, 0);
    let option: &[&str] = if guarded { &["enable-module-command", "yes"] } else { &[] };
    let server = Setup::plain().option(option).start();
    let front = front(&server.url());
    asks(&front, "lua");
    let before = stored(&server);
    server.run::<()>(&format!("MODULE LOAD {}", module_path().display()));
    assert_eq!(stored(&server), before);
    goes_on(&front); // in Lua, on the connections that are there
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    asks(&front, "module");
    goes_on(&front);
    assert!(server.info("rl_checks").parse::<u64>().expect("a number") > 0);
}

#[test]
fn a_restart_brings_the_module_or_takes_it_away() {
    let mut server = Setup::plain().keeping(Persistence::Aof).start();
    let front = front(&server.url());
    asks(&front, "lua");
    for engine in ["module", "lua"] {
        goes_on(&front);
        let before = stored(&server);
        server.kill();
        match engine {
            "module" => server.start_again_with_module(),
            _ => server.start_again_plain(),
        }
        assert_eq!(stored(&server), before);
        asks(&front, engine);
        goes_on(&front);
    }
}

#[test]
fn a_replica_with_the_module_takes_over() {
    let (old, new) = (Setup::plain().start(), Setup::with_module().start());
    new.follow(&old);
    let sentinels = Sentinels::watch(&old, 1);
    let front = front(&sentinels.url());
    asks(&front, "lua");
    goes_on(&front);
    new.catch_up(&old);
    let before = stored(&old);
    sentinels.fail_over();
    // Who is connected when it is made one is cut off.
    let role = || new.try_run::<String>("INFO replication").unwrap_or_default();
    eventually("the other is the primary", SOON, || role().contains("role:master"));
    // Nobody asked meanwhile: all of it was replicated.
    assert_eq!(stored(&new), before);
    asks(&front, "module");
    goes_on(&front);
}
