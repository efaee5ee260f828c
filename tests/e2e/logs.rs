//! The log as JSON: every line is an object, has the ids of its request, and never a key.

use std::time::Duration;

use rl_tests::{Front, Setup, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const JSON: [&str; 2] = ["--log-format", "json"];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE_FIELD: &str = "logging.googleapis.com/trace";

/// The log lines of a front, each an object with the fields that Cloud Logging looks for.
#[track_caller]
fn lines(front: &Front) -> Vec<Value> {
    let log = front.log();
    let lines = log.lines().filter(|line| *line != front.start_line());
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect(line);
            let severity = line["severity"].as_str().unwrap_or_default();
            assert!(["DEBUG", "INFO", "WARNING", "ERROR"].contains(&severity), "{line}");
            assert!(line["message"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
            let time = line["time"].as_str().unwrap_or_default();
            assert!(time.len() == 27 && time.contains('T') && time.ends_with('Z'), "{line}");
            line
        })
        .collect()
}

/// The line of the request with this id.
#[track_caller]
fn line_of(front: &Front, id: &str) -> Value {
    let mut found = None;
    eventually("the request is logged", SOON, || {
        found = lines(front).into_iter().find(|line| line["request_id"] == id);
        found.is_some()
    });
    found.expect("a line")
}

#[test]
fn an_outage_is_logged_in_json() {
    let mut server = Setup::plain().start();
    let front = Front::start(&[&JSON[..], &["--store", &server.url()]].concat());
    server.kill();
    eventually("the outage is logged", SOON, || {
        lines(&front).iter().any(|line| line["severity"] == "WARNING")
    });
    eventually("a change that fails is logged", SOON, || {
        front.request("POST", "/refund", &[("X-Request-Id", "r-1")], r#"{"key":"k"}"#);
        lines(&front).iter().any(|line| line["status"] == json!(503))
    });
    let line = line_of(&front, "r-1");
    assert_eq!((&line["endpoint"], &line["severity"]), (&json!("/refund"), &json!("WARNING")));
    assert!(line["micros"].is_u64(), "{line}");
    assert!(lines(&front).iter().any(|line| line["severity"] == "INFO"));
}

#[test]
fn a_request_is_found_by_its_ids() {
    let access = ("RUST_LOG", "rl_server::access=debug");
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let cloud = format!("{TRACE}/12345;o=1");
    for (environment, trace) in [
        (&[access, ("GOOGLE_CLOUD_PROJECT", "p-1")][..], format!("projects/p-1/traces/{TRACE}")),
        (&[access, ("GOOGLE_CLOUD_PROJECT", "")][..], TRACE.to_owned()),
    ] {
        let front = Front::start_with_env(environment, &JSON);
        for (id, header) in [
            ("by-traceparent", ("traceparent", &parent)),
            ("by-cloud_trace.0", ("X-Cloud-Trace-Context", &cloud)),
        ] {
            let headers = [("X-Request-Id", id), (header.0, header.1)];
            let answer = front.request("POST", "/check", &headers, r#"{"key":"k"}"#);
            assert_eq!(answer.header("x-request-id"), id);
            let line = line_of(&front, id);
            assert_eq!(line[TRACE_FIELD], json!(trace), "{line}");
            assert_eq!((&line["status"], &line["severity"]), (&json!(200), &json!("DEBUG")));
            assert_eq!((&line["endpoint"], line["micros"].is_u64()), (&json!("/check"), true));
        }
        // A refusal echoes the id too.
        let answer = front.request("POST", "/elsewhere", &[("X-Request-Id", "lost")], "");
        assert_eq!((answer.status, answer.header("x-request-id")), (404, "lost"));
        assert_eq!(line_of(&front, "lost")[TRACE_FIELD], Value::Null);
    }
}

#[test]
fn an_invalid_id_is_neither_echoed_nor_logged() {
    let front = Front::start_with_env(&[("RUST_LOG", "rl_server::access=debug")], &JSON);
    let long = "n33dle".repeat(22);
    for id in ["n33dle 1", "n33dle\"", "{n33dle}", "n33dle/1", "n33dle%0a", &long] {
        let trace = format!("00-{id}-00f067aa0ba902b7-01");
        let headers = [("X-Request-Id", id), ("traceparent", &trace)];
        let answer = front.request("POST", "/check", &headers, r#"{"key":"k"}"#);
        assert_eq!((answer.status, answer.header("x-request-id")), (200, ""), "{id}");
    }
    front.request("POST", "/check", &[("X-Request-Id", "last")], r#"{"key":"k"}"#);
    line_of(&front, "last");
    let log = front.log();
    assert!(!log.contains("n33dle"), "{log}");
    assert!(log.lines().count() > 6, "{log}");
}

#[test]
fn no_key_is_logged_whatever_happens() {
    let mut server = Setup::with_module().start();
    server.run::<()>("SET rl:{n33dle-foreign}:default precious");
    server.run::<()>("ACL SETUSER front on >secret +@all ~rl:{probe}* ~rl:{n33dle-[mf]*");
    let url = format!("redis://front:secret@127.0.0.1:{}", server.port());
    let levels = [("RUST_LOG", "trace")];
    let store = ["--store", &url, "--workers", "1", "--capacity", "9"];
    let front = Front::start_with_env(&levels, &[&JSON[..], &store].concat());
    let send_all = |key: &str| {
        let body = json!({ "key": key, "cost": 6 }).to_string();
        for path in ["/check", "/check", "/peek", "/take", "/refund", "/charge", "/n33dle"] {
            front.post(path, &body);
        }
        front.post("/reset", &json!({ "key": key }).to_string());
        front.post("/check/batch", &format!("{{\"checks\":[{body},{body}]}}"));
        front.post("/check", &body[..body.len() - 1]);
        front.get(&format!("/check?key={key}&policy=n33dle"));
        front.request("GET", "/check?key_header=X-Key", &[("X-Key", key)], "");
        front.request("N33DLE", &format!("/check?n33dle={key}"), &[("Cookie", key)], "");
    };
    // Each kind of error is logged once a second at most.
    for (key, line) in [
        ("n33dle-mine", "redis is up"),
        ("n33dle-foreign", "redis request failed: WRONGTYPE"),
        ("n33dle-other", "redis request failed: NOPERM"),
    ] {
        eventually(line, SOON, || {
            send_all(key);
            front.log().contains(line)
        });
    }
    server.kill();
    eventually("the outage is logged", SOON, || {
        send_all("n33dle-mine");
        front.log().contains("redis connection lost")
    });
    assert!(lines(&front).len() > 50);
    let log = front.log();
    assert!(!log.to_lowercase().contains("n33dle") && !log.contains("secret"), "{log}");
}
