//! The text and the JSON of known runs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LoadReport, LoadStats};
use crate::bench::stats::CheckCounts;

fn report() -> LoadReport {
    let mut stats = LoadStats::new();
    for _ in 0..10 {
        let counts = CheckCounts { allowed: 3, denied: 7, degraded: 1, errors: Vec::new() };
        stats.record(Ok(counts), 10, Duration::from_millis(2));
    }
    LoadReport {
        target: "http://h".to_owned(),
        engine: None,
        load: "a load".to_owned(),
        requested_rate: Some(10.0),
        due: 100,
        unsent: 0,
        elapsed: Duration::from_secs(10),
        is_interrupted: false,
        busy_share: 0.5,
        stats,
    }
}

fn text(report: &LoadReport) -> String {
    let mut out = Vec::new();
    report.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(report: &LoadReport) -> Value {
    let mut out = Vec::new();
    report.write_json(&mut out).unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_run_without_errors() {
    let report = report();
    assert!(report.is_success());
    assert_eq!(
        text(&report),
        "http://h: a load\n\n\
         checks            100  in 10 s, 10 answered a second\n\
         allowed            30  30.00 %\n\
         denied             70  70.00 %\n\
         degraded           10  10.00 %\n\
         errors              0\n\n\
         latency of 10 requests, each from when it was due\n\
         min 2 ms, p50 2 ms, p90 2 ms, p99 2 ms, p99.9 2 ms, max 2 ms\n\n\
         up to    2 ms           10  ##################################################\n"
    );
    let json = json(&report);
    for (field, value) in [
        ("checks", json!(100)),
        ("allowed", json!(30)),
        ("denied", json!(70)),
        ("degraded", json!(10)),
        ("errors", json!(0)),
        ("errors_by_kind", json!({})),
        ("requests", json!(10)),
        ("per_second", json!(10.0)),
        ("asked_per_second", json!(10.0)),
        ("rate_kept", json!(true)),
        ("engine", json!(null)),
        ("histogram", json!([{"up_to_us": 2000, "requests": 10}])),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert!(json["latency_us"]["p99.9"].as_f64().is_some_and(|at| (at - 2000.0).abs() < 2.0));
}

#[test]
fn a_run_with_errors_and_warnings() {
    let mut report = report();
    report.stats.record(Err("connection\u{1b}[2J refused".into()), 20, Duration::ZERO);
    (report.due, report.unsent) = (200, 80);
    (report.is_interrupted, report.busy_share) = (true, 0.99);
    (report.engine, report.requested_rate) = (Some("lua"), Some(20.0));
    assert!(!report.is_success());
    let text = text(&report);
    for part in [
        "http://h (lua): a load\n",
        "checks            120  in 10 s, 10 answered a second, ended early\n",
        "errors             20  16.67 %\n",
        "                   20  connection\u{fffd}[2J refused\n",
        "The rate was not kept: 10 of 20 checks a second were answered. 80 checks were due but",
        "The load generator was busy 99 % of the time",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = json(&report);
    assert_eq!(json["errors_by_kind"], json!({"connection\u{1b}[2J refused": 20}));
    assert_eq!((&json["rate_kept"], &json["never_sent"]), (&json!(false), &json!(80)));
    assert_eq!((&json["interrupted"], &json["engine"]), (&json!(true), &json!("lua")));
}

#[test]
fn a_run_without_answers_is_not_a_success() {
    let report = LoadReport { stats: LoadStats::new(), due: 0, requested_rate: None, ..report() };
    assert!(!report.is_success());
    assert!(text(&report).ends_with("errors              0\n"), "{}", text(&report));
    assert_eq!(json(&report)["latency_us"], json!({}));
}
