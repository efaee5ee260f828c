//! Envoy's redis_proxy between the front and Redis, with the configuration of `docs/redis.md`.

use std::time::Duration;

use rl_tests::{Front, Proxy, ProxyProgram, RedisServer, Setup, eventually, skip};
use serde_json::{Value, json};

use super::{PATIENT, SOON, check, front, healed, is_degraded};

const PAGE: &str = include_str!("../../../docs/redis.md");
const USERS: &str = include_str!("../../../docs/security.md");
const ABSENT: &str = "Envoy is not here: `scripts/test --servers` fetches it";
const ENVOY: ProxyProgram = ProxyProgram {
    name: "envoy",
    variable: Some("RL_ENVOY"),
    arguments: &["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
};
const ENDPOINT: &str =
    "- endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 6379 } } }\n";

/// Starts Envoy in front of these servers, with the page's file after `edit`.
fn envoy(servers: &[&RedisServer], edit: impl Fn(&str) -> String) -> Proxy {
    let (_, file) = PAGE.split_once("# /etc/envoy/envoy.yaml\n").expect("a file on the page");
    let (file, _) = file.split_once("```").expect("its end");
    assert!(file.contains(ENDPOINT) && file.contains("port_value: 6380"), "{file}");
    let endpoints: Vec<String> =
        servers.iter().map(|server| ENDPOINT.replace("6379", &server.port().to_string())).collect();
    let edited = edit(file);
    let user = |line: &&str| {
        line.split(' ').any(|word| edited.contains(&format!("inline_string: {word} ")))
    };
    let user = USERS.lines().find(|line| line.starts_with("ACL SETUSER ") && user(line));
    let user = user.expect("a user on the page").replace("change-me", "REDIS_PASSWORD");
    servers.iter().for_each(|server| server.run(&user));
    let file = edited.replace(ENDPOINT, &endpoints.join("              "));
    ENVOY.start(|port| {
        vec![(
            "envoy.yaml".into(),
            file.replace("port_value: 6380", &format!("port_value: {port}")),
        )]
    })
}

fn store(proxy: &Proxy) -> String {
    format!("redis://:FRONT_PASSWORD@127.0.0.1:{}", proxy.port())
}

fn ready(front: &Front) -> Value {
    front.get("/health/ready").body
}

/// The configuration for a server without the module.
fn for_scripts(file: &str) -> String {
    let lines = file.lines().filter(|line| !line.trim_start().starts_with("- rl."));
    let lines = lines.map(|line| line.replace("custom_commands:", "custom_commands: []") + "\n");
    lines.collect::<String>().replace("rl-module", "rl-lua")
}

/// Every operation, decided by the server behind Envoy.
fn decides(server: &RedisServer, proxy: &Proxy, engine: &str) {
    let policies = tempfile::NamedTempFile::new().expect("a file");
    let text = "inline = true\n[policies.two]\nlimits = [\n\
        { name = \"a\", capacity = 9, rate = \"1/d\" }, { name = \"b\", capacity = 5, rate = \"1/d\" }]";
    std::fs::write(&policies, text).expect("policies");
    let path = policies.path().to_str().expect("a path");
    // One worker: with two, "up" is said when one of them is.
    let arguments = ["--store", &store(proxy), "--config", path, "--workers", "1"];
    let front = Front::start(&[&arguments[..], &PATIENT].concat());
    eventually("redis decides", SOON, || ready(&front)["store"] == "up");
    assert_eq!(ready(&front)["engine"], json!(engine));

    let remaining = |path: &str, cost: u32| {
        let body = format!(r#"{{"key":"k","capacity":10,"rate":"1/d","cost":{cost}}}"#);
        let response = front.post(path, &body);
        assert_eq!(response.status, 200, "{path}: {}", front.log());
        assert!(!is_degraded(&response.body), "{path}: {}", front.log());
        response.body["remaining"].as_i64().expect("a number")
    };
    for (path, cost, expected) in [
        ("/check", 4, 6),
        ("/peek", 1, 6),
        ("/take", 3, 3),
        ("/refund", 2, 5),
        ("/charge", 8, -3),
        ("/check", 1, -3),
    ] {
        assert_eq!(remaining(path, cost), expected, "{path}");
    }
    assert_eq!(server.run::<i64>("EXISTS rl:{k}:inline"), 1);
    let reset = front.post("/reset", r#"{"key":"k","capacity":10,"rate":"1/d"}"#).body;
    assert_eq!(reset, json!({"reset": 1}));
    assert_eq!(server.run::<i64>("EXISTS rl:{k}:inline"), 0);

    let two = front.check(r#"{"key":"k","policy":"two","cost":2}"#);
    assert_eq!((&two["remaining"], &two["degraded"]), (&json!(3), &Value::Null), "{two}");
    // More than one piece, of keys in every slot, twice each.
    let keys = (0..300).map(|i| format!(r#"{{"key":"k{}","capacity":9,"rate":"1/d"}}"#, i % 150));
    let batch = format!(r#"{{"checks":[{}]}}"#, keys.collect::<Vec<_>>().join(","));
    let results = front.post("/check/batch", &batch).body;
    let results = results["results"].as_array().expect("results");
    let mut left: Vec<_> = results.iter().map(|it| it["remaining"].as_i64().unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, [[7; 150], [8; 150]].concat(), "{}", front.log());
    assert!(!results.iter().any(is_degraded), "{}", front.log());
}

#[test]
fn the_module_decides_behind_envoy() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let server = Setup::with_module().start();
    decides(&server, &envoy(&[&server], str::to_owned), "module");
    for command in ["check", "peek", "mcheck", "checkall", "take", "refund", "charge", "reset"] {
        let stats: String = server.run("INFO commandstats");
        assert!(stats.contains(&format!("cmdstat_rl.{command}:")), "{command}: {stats}");
    }
}

#[test]
fn the_scripts_decide_behind_envoy() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let server = Setup::plain().start();
    decides(&server, &envoy(&[&server], for_scripts), "lua");
}

#[test]
fn a_module_whose_commands_envoy_does_not_know_is_left_for_the_scripts() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let server = Setup::with_module().start();
    let in_capitals = |file: &str| file.replace("- rl.", "- RL.").replace("rl-module", "rl-lua");
    decides(&server, &envoy(&[&server], in_capitals), "lua");
}

#[test]
fn anything_but_one_primary_behind_envoy_is_refused() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let (primary, other) = (Setup::with_module().start(), Setup::with_module().start());
    let replica = Setup::with_module().start();
    replica.follow(&primary);
    for (servers, cause) in [
        (&[&primary, &other][..], "the proxy leads to 2 servers, each with buckets of its own"),
        (&[&replica], "the server is a replica"),
        (&[&primary, &replica], "the server is a replica"),
    ] {
        let proxy = envoy(servers, str::to_owned);
        let front = Front::start_unready(&["--store", &store(&proxy), "--workers", "1"]);
        eventually("the log names the cause", SOON, || front.log().contains(cause));
        assert!(is_degraded(&check(&front, "k", 10)));
        assert_eq!(ready(&front)["store"], "down");
    }
    for server in [&primary, &other] {
        assert_eq!(server.run::<i64>("DBSIZE"), 0);
    }
}

#[test]
fn a_database_behind_envoy_is_refused() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let server = Setup::with_module().start();
    let proxy = envoy(&[&server], str::to_owned);
    let address = store(&proxy) + "/2";
    let front = Front::start_unready(&["--store", &address, "--workers", "1"]);
    let cause = "all clients of a proxy have the database that one selects";
    eventually("the log names the cause", SOON, || front.log().contains(cause));
    assert!(is_degraded(&check(&front, "k", 10)));
    // Nor is it selected, which the others would have.
    let stats: String = server.run("INFO commandstats");
    assert!(!stats.contains("cmdstat_select:"), "{stats}");
}

#[test]
fn a_redis_that_dies_or_stops_behind_envoy_is_seen_without_a_caller() {
    if ENVOY.is_absent() {
        skip!("{ABSENT}");
    }
    let mut server = Setup::with_module().start();
    let proxy = envoy(&[&server], str::to_owned);
    let front = front(&store(&proxy), &[]);
    healed(&front, "k");
    let becomes = |state: &str| {
        eventually(state, SOON + Duration::from_secs(10), || ready(&front)["store"] == state);
    };
    server.signal("STOP");
    becomes("down");
    assert!(front.log().contains("upstream failure"), "{}", front.log());
    server.signal("CONT");
    becomes("up");
    server.kill();
    becomes("down");
    server.start_again();
    server.run::<()>("ACL SETUSER rl-module on >REDIS_PASSWORD ~rl:* +@all");
    becomes("up");
    healed(&front, "k");
}
