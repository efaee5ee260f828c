//! The operations beside `POST /check`, batches and the form for proxies, on every store.

use std::thread;
use std::time::Duration;

use rl_tests::{Front, RedisServer, Setup, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const LIMIT: &str = r#""capacity":10,"rate":"1/d""#;

fn over(server: &RedisServer, engine: &str) -> Front {
    Front::start(&["--store", &server.url(), "--engine", engine, "--deadline-ms", "10000"])
}

/// Runs a test on the in-process store, the module and Lua.
fn on_every_store(test: impl Fn(&Front)) {
    test(&Front::start(&[]));
    test(&over(&Setup::with_module().start(), "module"));
    test(&over(&Setup::plain().start(), "lua"));
}

fn post(front: &Front, path: &str, rest: &str) -> Value {
    let answer = front.post(path, &format!(r#"{{"key":"k",{LIMIT}{rest}}}"#));
    assert_eq!(answer.status, 200, "{path} {rest}: {}", answer.body);
    assert_eq!(answer.body["degraded"], Value::Null, "{path} {rest}: {}", answer.body);
    answer.body
}

#[test]
fn a_reservation_is_settled() {
    on_every_store(|front| {
        for (path, rest, field, expected) in [
            ("/peek", "", "remaining", json!(10)),
            ("/check", r#","cost":6"#, "remaining", json!(4)),
            ("/peek", r#","cost":5"#, "allowed", json!(false)),
            ("/refund", r#","cost":3.5"#, "remaining", json!(7)),
            ("/charge", r#","cost":9"#, "remaining", json!(-2)),
            ("/check", r#","cost":0.5"#, "allowed", json!(false)),
            ("/take", r#","cost":3"#, "granted", json!(0)),
            ("/refund", r#","cost":100"#, "remaining", json!(10)),
            ("/take", r#","cost":7.9"#, "granted", json!(7)),
            ("/take", r#","cost":7.9"#, "granted", json!(3)),
            ("/reset", "", "reset", json!(1)),
            ("/reset", "", "reset", json!(0)),
            ("/peek", "", "remaining", json!(10)),
        ] {
            let answer = post(front, path, rest);
            assert_eq!(answer[field], expected, "{path} {rest}: {answer}");
        }
    });
}

#[test]
fn a_batch_answers_each_in_its_place() {
    on_every_store(|front| {
        let mut checks: Vec<Value> = (0..994)
            .map(|i| json!({"key": format!("k{}", i % 100), "capacity": 5, "rate": "1/d"}))
            .collect();
        checks.insert(500, json!({"key": 1}));
        checks.extend([
            json!({"key": "x", "capacity": 5, "rate": "1/d", "cost": 6}),
            json!({"key": "x", "cost": -1}),
            json!(null),
            json!({"key": "x", "policy": "nobody"}),
            json!({"key": "x"}),
        ]);
        assert_eq!(checks.len(), 1000);
        let answer = front.post("/check/batch", &json!({ "checks": checks }).to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let results = answer.body["results"].as_array().expect("results");
        assert_eq!(results.len(), 1000);
        let checked = results[..500].iter().chain(&results[501..995]);
        for (i, result) in checked.enumerate() {
            let round = i / 100;
            assert_eq!(result["allowed"], json!(round < 5), "{i}: {result}");
            assert_eq!(result["remaining"], json!(4_usize.saturating_sub(round)), "{i}: {result}");
        }
        let statuses: Vec<_> =
            [500, 996, 997, 998].iter().map(|at| results[*at]["status"].clone()).collect();
        assert_eq!(statuses, [json!(422), json!(422), json!(422), json!(404)]);
        assert_eq!(results[995]["retry_after_ms"], Value::Null, "{}", results[995]);
        assert_eq!(results[999]["remaining"], json!(99), "{}", results[999]);
    });
}

#[test]
fn an_invalid_batch_is_refused() {
    let front = Front::start(&[]);
    let long = |len: usize| format!(r#"{{"checks":[{}]}}"#, vec![r#"{"key":"k"}"#; len].join(","));
    let pad = " ".repeat(1 << 20);
    for (body, status) in [
        (long(0), 200),
        (long(1000), 200),
        (long(1001), 422),
        (r#"{"key":"k"}"#.to_owned(), 422),
        ("[]".to_owned(), 422),
        ("".to_owned(), 400),
        (r#"{"checks":[{"key":"k"}"#.to_owned(), 400),
        (format!("{}{}", long(1), &pad[long(1).len()..]), 200),
        (format!("{}{}", long(1), &pad[long(1).len() - 1..]), 413),
    ] {
        let answer = front.post("/check/batch", &body);
        assert_eq!(answer.status, status, "{body:.60}: {}", answer.body);
    }
}

#[test]
fn a_foreign_value_fails_only_its_own_item() {
    for (server, engine) in
        [(Setup::with_module().start(), "module"), (Setup::plain().start(), "lua")]
    {
        server.run::<()>("SET rl:{b}:default precious");
        let front = over(&server, engine);
        let body = r#"{"checks":[{"key":"a"},{"key":"b"},{"key":"c"}]}"#;
        let results = front.post("/check/batch", body).body["results"].clone();
        let degraded: Vec<_> = (0..3).map(|at| results[at]["degraded"].clone()).collect();
        assert_eq!(degraded, [Value::Null, json!(true), Value::Null], "{results}");
        assert_eq!(server.run::<String>("GET rl:{b}:default"), "precious");
    }
}

#[test]
fn proxies_read_the_status() {
    on_every_store(|front| {
        let path = "/check?key=proxy&capacity=2&rate=1/d";
        let ask = |method: &str, path: &str| front.request(method, path, &[], "");
        let first = ask("GET", path);
        assert_eq!((first.status, &first.body["remaining"]), (200, &json!(1)));
        let second = ask("HEAD", path);
        assert_eq!((second.status, &second.body), (200, &Value::Null));
        assert_eq!(second.header("ratelimit"), r#""inline";r=0;t=172800"#);
        let third = ask("GET", path);
        assert_eq!((third.status, &third.body["allowed"]), (429, &json!(false)));
        assert_eq!(third.header("retry-after"), "86400");
        let fourth = ask("HEAD", &format!("{path}&deny_status=403"));
        assert_eq!((fourth.status, fourth.header("retry-after")), (403, "86400"));
        // The method and path of the original request have no effect here.
        let fifth = ask("DELETE", &format!("{path}&uri=/orders?policy=other&key=x"));
        assert_eq!(fifth.status, 429);
    });
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    on_every_store(|front| {
        for (query, status) in [
            ("&capacity=1&rate=1/d", 200),
            ("&capacity=1&rate=1/d", 429),
            ("&capacity=1&rate=1/d&deny_status=403", 403),
            ("&capacity=1&rate=1/d&cost=2", 429),
            ("&policy=none", 404),
            ("&burst=1", 422),
        ] {
            // Each method has its own bucket, in the same state.
            let [get, head] = ["GET", "HEAD"].map(|method| {
                front.request(method, &format!("/check?key=by-{method}{query}"), &[], "")
            });
            assert_eq!((get.status, head.status), (status, status), "{query}");
            assert_eq!(head.body, Value::Null, "{query}");
            for name in get.headers.keys().filter(|name| *name != "date") {
                if name == "content-length" {
                    assert!(head.headers.contains_key(name), "{query}: {head:?}");
                } else {
                    assert_eq!(get.headers[name], head.headers[name], "{query}: {name}");
                }
            }
            assert_eq!(get.headers.len(), head.headers.len(), "{query}: {head:?}");
        }
    });
}

#[test]
fn a_denial_is_remembered_and_forgotten_in_time() {
    for (server, engine) in
        [(Setup::with_module().start(), "module"), (Setup::plain().start(), "lua")]
    {
        let (front, other) = (over(&server, engine), over(&server, engine));
        let check =
            |front: &Front| post(front, "/check", r#","cost":10"#)["allowed"] == json!(true);
        assert!(check(&front));
        assert!(!check(&front));
        let calls = |server: &RedisServer| {
            let total = server.info("total_commands_processed");
            total.parse::<u64>().expect("a number")
        };
        let before = calls(&server);
        for _ in 0..200 {
            assert!(!check(&front));
        }
        // Left are the heartbeats of four connections, and one check a second.
        assert!(calls(&server) - before < 100, "{}", calls(&server) - before);
        let hits = front.text("/metrics");
        assert!(hits.contains(r#"rl_denial_cache_hits_total{policy="inline"}"#), "{hits}");

        // A refund through this front counts at once, one through another within a second or so.
        post(&front, "/refund", r#","cost":10"#);
        assert!(check(&front));
        assert!(!check(&front));
        post(&other, "/refund", r#","cost":10"#);
        eventually("the refund is seen", SOON, || check(&front));
        assert!(!check(&front));
        post(&other, "/reset", "");
        eventually("the reset is seen", SOON, || check(&front));
    }
}

#[test]
fn a_remembered_denial_is_never_a_false_one() {
    // Retries exactly after `retry_after_ms`: each must be allowed.
    let server = Setup::with_module().start();
    let front = over(&server, "module");
    let body = r#"{"key":"k","capacity":1,"rate":"50/s"}"#;
    for _ in 0..50 {
        let answer = front.check(body);
        if answer["allowed"] == json!(true) {
            continue;
        }
        let wait = answer["retry_after_ms"].as_u64().expect("a wait");
        assert!((1..=20).contains(&wait), "{answer}");
        thread::sleep(Duration::from_millis(wait));
        let answer = front.check(body);
        assert_eq!(answer["allowed"], json!(true), "after {wait} ms: {answer}");
    }
}
