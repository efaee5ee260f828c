//! The front over Redis: with the module, without it, and when Redis changes or dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rl_tests::{Caller, CheckRequest, Front, LimitSource, RedisServer, Setup, eventually};
use serde_json::{Value, json};

/// A long deadline, so that a busy machine degrades no answer that should come from Redis.
const PATIENT: [&str; 2] = ["--deadline-ms", "10000"];
const SOON: Duration = Duration::from_secs(20);

fn front(server: &RedisServer, engine: &str) -> Front {
    let url = server.url();
    Front::start(&[&["--store", &url, "--engine", engine][..], &PATIENT].concat())
}

fn ready(front: &Front) -> Value {
    front.get("/health/ready").body
}

/// Checks that drain a bucket and are then denied. The rate is so low that time does not show.
fn drain(front: &Front) -> Vec<(Value, Value)> {
    ["4", "4", "0.5", "4", "1", "11", "0"]
        .iter()
        .map(|cost| {
            let body = format!(r#"{{"key":"story","capacity":10,"rate":"1/d","cost":{cost}}}"#);
            let answer = front.check(&body);
            (answer["allowed"].clone(), answer["remaining"].clone())
        })
        .collect()
}

#[test]
fn every_engine_gives_equal_answers() {
    let expected = [(true, 6), (true, 2), (true, 1), (false, 1), (true, 0), (false, 0), (true, 0)]
        .map(|(allowed, remaining)| (json!(allowed), json!(remaining)));
    assert_eq!(drain(&Front::start(&[])), expected);

    let with_module = Setup::with_module().start();
    let without = Setup::plain().start();
    for (server, choice, engine) in [
        (&with_module, "auto", "module"),
        (&with_module, "lua", "lua"),
        (&with_module, "module", "module"),
        (&without, "auto", "lua"),
        (&without, "lua", "lua"),
    ] {
        server.run::<()>("FLUSHALL");
        let front = front(server, choice);
        let status = ready(&front);
        assert_eq!(
            (&status["engine"], &status["store"]),
            (&json!(engine), &json!("up")),
            "{status}"
        );
        assert_eq!(drain(&front), expected, "--engine {choice} with {engine}");
        assert_eq!(server.run::<i64>("EXISTS rl:{story}:inline"), 1);
        assert!(front.log().contains(engine), "the log names the engine: {}", front.log());
    }
}

/// Python, Java and JavaScript write numbers like these.
#[test]
fn computed_numbers_are_the_same_on_every_engine() {
    let with_module = Setup::with_module().start();
    let without = Setup::plain().start();
    let (module, lua) = (front(&with_module, "module"), front(&without, "lua"));
    for front in [Front::start(&[]), module, lua] {
        for (check, remaining, reset_after_ms) in [
            (r#""k","capacity":1.0E1,"rate":1e-07,"cost":0.30000000000000004"#, 9, 3_000_000_000),
            (r#""k","capacity":"10","rate":"1.0E-7","cost":1.6666666666666667"#, 8, 19_666_666_667),
            (r#""k","capacity":10,"rate":"1/30d","cost":7"#, 1, 23_241_600_000),
            (r#""k","capacity":1e+1,"rate":1E-9,"cost":1e-300"#, 1, 8_966_666_666_667),
            (r#""l","capacity":"1e9","rate":"1e15/12d","cost":1e09"#, 0, 1037),
        ] {
            let answer = front.check(&format!(r#"{{"key":{check}}}"#));
            assert_eq!(answer["allowed"], json!(true), "{check}: {answer}");
            assert_eq!(answer["remaining"], json!(remaining), "{check}: {answer}");
            // Time may pass between two checks.
            let reset = answer["reset_after_ms"].as_u64().expect("a time");
            assert!(reset.abs_diff(reset_after_ms) <= 60_000, "{check}: {answer}");
            assert_eq!(answer["degraded"], Value::Null, "{check}: {answer}");
        }
        let longest = r#"{"key":"m","capacity":1e9,"rate":1e-9,"cost":1e9}"#;
        for allowed in [true, false] {
            let answer = front.check(longest);
            assert_eq!(answer["allowed"], json!(allowed), "{answer}");
            assert_eq!(answer["reset_after_ms"], json!(8_000_000_000_000_000_000_u64), "{answer}");
            assert_eq!(answer["degraded"], Value::Null, "{answer}");
        }
    }
}

#[test]
fn fronts_on_either_engine_share_a_bucket() {
    let server = Setup::with_module().start();
    let fronts = [front(&server, "module"), front(&server, "lua")];
    for turn in 0..10 {
        let answer = fronts[turn % 2].check(r#"{"key":"k","capacity":10,"rate":"1/d"}"#);
        assert_eq!(answer["remaining"], json!(9 - turn), "{answer}");
    }
    for front in &fronts {
        let answer = front.check(r#"{"key":"k","capacity":10,"rate":"1/d"}"#);
        assert_eq!(answer["allowed"], json!(false), "{answer}");
    }
}

#[test]
fn scripts_may_be_flushed_in_mid_traffic() {
    let server = Setup::plain().start();
    let front = front(&server, "lua");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let flusher = scope.spawn(|| {
            let mut flushes = 0;
            while !done.load(Ordering::Relaxed) {
                server.run::<()>("SCRIPT FLUSH");
                flushes += 1;
            }
            flushes
        });
        let answers: Vec<Value> =
            (0..500).map(|_| front.check(r#"{"key":"k","capacity":1000,"rate":"1/d"}"#)).collect();
        done.store(true, Ordering::Relaxed);
        for (i, answer) in answers.iter().enumerate() {
            assert_eq!(answer["remaining"], json!(999 - i), "{answer}");
            assert_eq!(answer["degraded"], Value::Null, "{answer}");
        }
        assert!(flusher.join().expect("a flusher") > 10);
    });
}

#[test]
fn an_idle_front_loads_its_probe_again_after_a_flush() {
    let server = Setup::plain().start();
    // The heartbeat of a user that may not run PING is a peek.
    server.run::<()>("ACL SETUSER front on >secret +@all -ping ~rl:*");
    let url = format!("redis://front:secret@127.0.0.1:{}", server.port());
    // One worker: each has a connection of its own, and would load the probe for itself.
    let store = ["--store", &url, "--engine", "lua", "--workers", "1"];
    let front = Front::start(&[&store[..], &PATIENT].concat());
    server.run::<()>("SCRIPT FLUSH");
    server.run::<()>("CONFIG RESETSTAT");
    // The heartbeat finds the script gone, and sends it in full once.
    let calls = |command: &str| {
        let stats = server.run::<String>("INFO commandstats");
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")));
        line.map_or(0, |line| {
            let calls = line.split_once("calls=").expect("calls").1;
            calls.split_once(',').expect("a list").0.parse::<u64>().expect("a number")
        })
    };
    eventually("the probe runs by its hash again", SOON, || calls("evalsha") >= 3);
    assert_eq!(calls("eval"), 1);
    assert!(!front.log().contains("NOSCRIPT"), "{}", front.log());
}

#[test]
fn without_redis_a_local_bucket_decides_and_redis_is_found_again() {
    let mut server = Setup::with_module().start();
    let front =
        Front::start(&["--store", &server.url(), "--workers", "1", "--deadline-ms", "2000"]);
    let check = || front.check(r#"{"key":"k","capacity":5,"rate":"1/d"}"#);
    let answer = check();
    assert_eq!((&answer["remaining"], &answer["degraded"]), (&json!(4), &Value::Null));

    server.kill();
    let mut answer = check();
    eventually("the front notices", SOON, || {
        answer = check();
        answer["degraded"] == json!(true)
    });
    assert_eq!(ready(&front)["store"], json!("down"));
    assert_eq!(front.get("/health/ready").status, 200, "a degraded front is in service");
    // The local bucket keeps the limit too.
    let admitted = (0..20).filter(|_| check()["allowed"] == json!(true)).count();
    assert!(admitted <= 5, "{admitted}");

    server.start_again_plain();
    eventually("Redis is found again", SOON, || check()["degraded"] == Value::Null);
    eventually("without the module the engine is Lua", SOON, || {
        ready(&front)["engine"] == json!("lua")
    });
    assert_eq!(ready(&front)["store"], json!("up"));

    server.kill();
    server.start_again_with_module();
    eventually("with the module the engine is the module", SOON, || {
        check();
        ready(&front)["engine"] == json!("module")
    });
}

#[test]
fn a_stopped_redis_holds_nobody_up() {
    let server = Setup::with_module().start();
    let front = Front::start(&["--store", &server.url(), "--workers", "1", "--deadline-ms", "100"]);
    server.signal("STOP");
    let answer = front.check(r#"{"key":"k"}"#);
    assert_eq!(answer["degraded"], json!(true), "{answer}");
    server.signal("CONT");
    eventually("Redis is found again", SOON, || {
        front.check(r#"{"key":"k"}"#)["degraded"] == Value::Null
    });
}

#[test]
fn a_front_starts_without_redis_and_heals() {
    let mut server = Setup::with_module().start();
    server.kill();
    let front = Front::start_unready(&["--store", &server.url(), "--workers", "1"]);
    let answer = front.get("/health/ready");
    assert_eq!((answer.status, &answer.body["store"]), (503, &json!("down")), "{}", answer.body);
    assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(true));
    server.start_again();
    eventually("the front is ready", SOON, || front.get("/health/ready").status == 200);
    eventually("Redis answers", SOON, || front.check(r#"{"key":"k"}"#)["degraded"] == Value::Null);
}

#[test]
fn the_module_can_be_required() {
    let server = Setup::plain().start();
    let front = Front::start_unready(&["--store", &server.url(), "--engine", "module"]);
    eventually("the log names the cause", SOON, || front.log().to_lowercase().contains("module"));
    assert_eq!(front.get("/health/ready").body["store"], json!("down"));
    assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(true));
}

#[test]
fn a_user_that_may_not_run_the_module_gets_lua() {
    let server = Setup::with_module().start();
    server.run::<()>("ACL SETUSER front on >secret +@all -rl.check -rl.peek ~rl:*");
    let url = format!("redis://front:secret@127.0.0.1:{}", server.port());
    let front = Front::start(&["--store", &url]);
    assert_eq!(ready(&front)["engine"], json!("lua"));
    assert!(!front.log().contains("secret") && !front.start_line().contains("secret"));
}

#[test]
fn a_foreign_value_is_left_alone() {
    let server = Setup::with_module().start();
    server.run::<()>("SET rl:{k}:default precious");
    for engine in ["module", "lua"] {
        let front = front(&server, engine);
        assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(true));
        assert_eq!(server.run::<String>("GET rl:{k}:default"), "precious");
        assert_eq!(front.check(r#"{"key":"other"}"#)["degraded"], Value::Null);
    }
}

#[test]
fn checks_that_arrive_together_share_a_round_trip() {
    const CLIENTS: usize = 40;
    let server = Setup::with_module().start();
    let calls = |command: &str| -> u64 {
        let stats: String = server.run("INFO commandstats");
        let line =
            stats.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:calls=")));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.map_or(0, |calls| calls.parse().expect("a count"))
    };
    for (engine, one, many) in [("module", "rl.check", "rl.mcheck"), ("lua", "evalsha", "evalsha")]
    {
        let url = server.url();
        let store = ["--store", &url, "--engine", engine, "--workers", "1"];
        let front = Front::start(&[&store[..], &PATIENT].concat());
        server.run::<()>("FLUSHALL");
        server.run::<()>("CONFIG RESETSTAT");
        server.run::<()>("CLIENT PAUSE 300 ALL");
        let request = CheckRequest {
            key: "k".to_owned(),
            limits: LimitSource::Inline(CLIENTS as u64 - 1, "1/d"),
            cost: 1,
        };
        let mut callers: Vec<_> = (0..CLIENTS).map(|_| Caller::of(&front)).collect();
        callers.iter_mut().for_each(|caller| caller.send(&request));
        let answers: Vec<Value> = callers.iter_mut().map(Caller::answer).collect();
        let allowed = answers.iter().filter(|answer| answer["allowed"] == json!(true)).count();
        assert_eq!(allowed, CLIENTS - 1, "{engine}");
        let mut left: Vec<_> =
            answers.iter().map(|answer| answer["remaining"].as_i64().expect("a number")).collect();
        left.sort_unstable();
        left.dedup();
        assert_eq!(left.len(), CLIENTS - 1, "{engine}: every token was taken once");
        let calls = if one == many { calls(one) } else { calls(one) + calls(many) };
        assert!(calls < CLIENTS as u64 / 2, "{engine}: {calls} calls for {CLIENTS} checks");
    }
}

#[test]
fn a_foreign_value_fails_no_other_check_of_its_batch() {
    let server = Setup::with_module().start();
    let front =
        Front::start(&[&["--store", &server.url(), "--workers", "1"][..], &PATIENT].concat());
    server.run::<()>("RPUSH rl:{list}:default x");
    server.run::<()>("CLIENT PAUSE 300 ALL");
    thread::scope(|scope| {
        for i in 0..20 {
            let front = &front;
            scope.spawn(move || {
                let (key, degraded) = if i % 5 == 4 {
                    ("list".to_owned(), json!(true))
                } else {
                    (i.to_string(), Value::Null)
                };
                assert_eq!(front.check(&json!({ "key": key }).to_string())["degraded"], degraded);
            });
        }
    });
    assert_eq!(server.run::<i64>("LLEN rl:{list}:default"), 1);
}
