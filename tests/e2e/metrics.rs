//! `/metrics`: every series after known calls, and that no caller can add one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rl_tests::{Front, Scrape, Setup, eventually};
use serde_json::json;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

/// Buckets of 2 tokens, refilled too slowly to show.
const POLICIES: &str = r#"
    inline = true
    [policies.default]
    capacity = 2
    rate = "1/d"
    [policies.watched]
    capacity = 1
    rate = "1/d"
    mode = "shadow"
    [policies.open]
    capacity = 2
    rate = "1/d"
    on_error = "open"
    [policies.closed]
    capacity = 2
    rate = "1/d"
    on_error = "closed"
"#;

pub(super) struct PolicyFile {
    path: PathBuf,
    _folder: TempDir,
}

impl PolicyFile {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = Self { path: folder.path().join("policies.toml"), _folder: folder };
        file.write(POLICIES);
        file
    }

    fn write(&self, content: &str) {
        fs::write(&self.path, content).expect("to write the policies");
    }

    pub(super) fn front(&self, more: &[&str]) -> Front {
        let path = self.path.to_str().expect("a path in UTF-8");
        Front::start(&[&["--config", path, "--workers", "1"], more].concat())
    }
}

/// Checks `key` under `policy`, `times` times: the number of allowed checks.
pub(super) fn check(front: &Front, key: &str, policy: &str, cost: u32, times: usize) -> usize {
    let body = json!({ "key": key, "policy": policy, "cost": cost }).to_string();
    (0..times).filter(|_| front.check(&body)["allowed"] == json!(true)).count()
}

fn scrape(front: &Front) -> Scrape {
    Scrape::parse(&front.text("/metrics"))
}

/// The series that are not 0, without those that depend on durations, on the size of a bucket or on
/// the polling of a test.
fn counted(scrape: &Scrape) -> BTreeMap<&str, f64> {
    let timed = |series: &str| {
        ["_seconds_bucket", "_seconds_sum"].iter().any(|end| series.contains(end))
            || ["process_", "rl_memory_"].iter().any(|start| series.starts_with(start))
            || ["/health/ready", "/metrics"].iter().any(|path| series.contains(path))
    };
    let series = scrape.series.iter().map(|(series, value)| (&**series, *value));
    series.filter(|(series, value)| *value != 0.0 && !timed(series)).collect()
}

/// Asserts all counted series. `what` has a series and its value on each line.
#[track_caller]
fn assert_counted(scrape: &Scrape, what: &str) {
    let expected: BTreeMap<_, _> = what
        .lines()
        .filter_map(|line| line.trim().rsplit_once(' '))
        .map(|(series, value)| (series, value.parse::<f64>().expect("a value")))
        .collect();
    let actual = counted(scrape);
    let differ = |(series, value): &(&&str, &f64)| expected.get(**series) != Some(*value);
    let unexpected: Vec<_> = actual.iter().filter(differ).collect();
    let missing: Vec<_> =
        expected.iter().filter(|(series, value)| actual.get(**series) != Some(*value)).collect();
    assert!(
        unexpected.is_empty() && missing.is_empty(),
        "missing: {missing:#?}\nunexpected: {unexpected:#?}"
    );
    // Histograms have every observation, whatever its duration.
    for (series, value) in &scrape.series {
        if let Some((name, labels)) = series.split_once("_bucket{")
            && let Some(labels) = labels.strip_suffix(r#"le="+Inf"}"#)
        {
            let labels = labels.trim_end_matches(',');
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            assert_eq!(*value, scrape.value(&format!("{name}_count{labels}")), "{series}");
        }
    }
}

fn hash(front: &Front) -> String {
    let ready = front.get("/health/ready").body;
    ready["policies"].as_str().expect("a hash").to_owned()
}

#[test]
fn every_series_is_right_in_memory() {
    let file = PolicyFile::new();
    let front = file.front(&[]);
    assert_eq!(check(&front, "a", "default", 1, 5), 2);
    assert_eq!(check(&front, "a", "default", 3, 1), 0);
    assert_eq!(check(&front, "a", "watched", 1, 3), 3);
    front.check(r#"{"key":"a","capacity":1,"rate":1}"#);
    let batch = r#"{"checks":[{"key":"b"},{"key":"b"},{"key":"b"},{"key":"b","policy":"no"},7]}"#;
    assert_eq!(front.post("/check/batch", batch).status, 200);
    let take = r#"{"key":"c","cost":5}"#;
    assert_eq!(front.post("/take", take).body["granted"], json!(2));
    assert_eq!(front.post("/take", take).body["granted"], json!(0));
    assert_eq!(front.get("/check?key=a").status, 429);
    assert_eq!(front.get("/check?key=a&deny_status=403").status, 403);
    // No decisions: peeks, changes, errors.
    for (path, body, status) in [
        ("/peek", r#"{"key":"a"}"#, 200),
        ("/charge", r#"{"key":"d"}"#, 200),
        ("/refund", r#"{"key":"d"}"#, 200),
        ("/reset", r#"{"key":"d"}"#, 200),
        ("/check", r#"{"key":"a","policy":"no"}"#, 404),
        ("/check", "{", 400),
        ("/check", "{}", 422),
        ("/metrics", "", 405),
        ("/elsewhere", "", 404),
    ] {
        assert_eq!(front.post(path, body).status, status, "{path} {body}");
    }
    let hash = hash(&front);
    file.write(&format!("{POLICIES}\n[policies.refused]\ncapacity = 1\nrate = \"x\""));
    eventually("the file is refused", SOON, || front.log().contains("refused"));

    let scrape = scrape(&front);
    assert_counted(
        &scrape,
        &format!(
            r#"
            rl_batch_size_bucket{{le="5"}} 1
            rl_batch_size_bucket{{le="10"}} 1
            rl_batch_size_bucket{{le="20"}} 1
            rl_batch_size_bucket{{le="50"}} 1
            rl_batch_size_bucket{{le="100"}} 1
            rl_batch_size_bucket{{le="200"}} 1
            rl_batch_size_bucket{{le="500"}} 1
            rl_batch_size_bucket{{le="1000"}} 1
            rl_batch_size_bucket{{le="+Inf"}} 1
            rl_batch_size_count 1
            rl_batch_size_sum 5
            rl_build_info{{version="{}"}} 1
            rl_config_generation{{file="policies"}} 1
            rl_config_info{{file="policies",hash="{hash}"}} 1
            rl_config_reloads_total{{file="policies",result="loaded"}} 1
            rl_config_reloads_total{{file="policies",result="refused"}} 1
            rl_decisions_total{{outcome="allowed",policy="default"}} 5
            rl_decisions_total{{outcome="denied",policy="default"}} 7
            rl_decisions_total{{outcome="never",policy="default"}} 1
            rl_decisions_total{{outcome="allowed",policy="watched"}} 1
            rl_decisions_total{{outcome="would_deny",policy="watched"}} 2
            rl_decisions_total{{outcome="allowed",policy="inline"}} 1
            rl_engine{{engine="memory"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/charge"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/check"}} 15
            rl_http_request_duration_seconds_count{{endpoint="/check/batch"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/peek"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/refund"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/reset"}} 1
            rl_http_request_duration_seconds_count{{endpoint="/take"}} 2
            rl_http_request_duration_seconds_count{{endpoint="other"}} 1
            rl_http_requests_total{{code="200",endpoint="/charge"}} 1
            rl_http_requests_total{{code="200",endpoint="/check"}} 10
            rl_http_requests_total{{code="400",endpoint="/check"}} 1
            rl_http_requests_total{{code="403",endpoint="/check"}} 1
            rl_http_requests_total{{code="404",endpoint="/check"}} 1
            rl_http_requests_total{{code="422",endpoint="/check"}} 1
            rl_http_requests_total{{code="429",endpoint="/check"}} 1
            rl_http_requests_total{{code="200",endpoint="/check/batch"}} 1
            rl_http_requests_total{{code="200",endpoint="/peek"}} 1
            rl_http_requests_total{{code="200",endpoint="/refund"}} 1
            rl_http_requests_total{{code="200",endpoint="/reset"}} 1
            rl_http_requests_total{{code="200",endpoint="/take"}} 2
            rl_http_requests_total{{code="404",endpoint="other"}} 1
            "#,
            env!("CARGO_PKG_VERSION"),
        ),
    );
    assert_eq!(scrape.value(r#"rl_http_requests_total{code="405",endpoint="/metrics"}"#), 1.0);
    assert_eq!(scrape.value(r#"rl_config_last_reload_successful{file="policies"}"#), 0.0);
}

#[test]
fn every_series_is_right_over_redis() {
    let file = PolicyFile::new();
    let mut server = Setup::with_module().start();
    let front = file.front(&["--store", &server.url(), "--deadline-ms", "10000"]);
    assert_eq!(check(&front, "a", "default", 1, 22), 2);
    assert_eq!(check(&front, "a", "closed", 3, 1), 0);
    assert_eq!(check(&front, "a", "watched", 1, 2), 2);
    let two = r#"{"checks":[{"key":"b"},{"key":"c"}]}"#;
    front.post("/check/batch", two);
    // Most of the 20 denials in a row come from the denial cache; on a slow machine not all.
    let default = r#"rl_denial_cache_hits_total{policy="default"}"#;
    let hits = scrape(&front).value(default);
    assert!((1.0..=19.0).contains(&hits), "{hits}");
    let sent = 22.0 - hits + 1.0 + 2.0 + 1.0;

    let mut up = format!(
        r#"
        rl_build_info{{version="{}"}} 1
        rl_config_generation{{file="policies"}} 1
        rl_config_info{{file="policies",hash="{}"}} 1
        rl_config_last_reload_successful{{file="policies"}} 1
        rl_config_reloads_total{{file="policies",result="loaded"}} 1
        rl_decisions_total{{outcome="never",policy="closed"}} 1
        rl_decisions_total{{outcome="allowed",policy="watched"}} 1
        rl_decisions_total{{outcome="would_deny",policy="watched"}} 1
        {default} {hits}
        rl_engine{{engine="module"}} 1
        rl_redis_duration_seconds_count {sent}
        "#,
        env!("CARGO_PKG_VERSION"),
        hash(&front),
    );
    for le in ["2", "5", "10", "20", "50", "100", "200", "500", "1000", "+Inf"] {
        up += &format!("rl_batch_size_bucket{{le=\"{le}\"}} BATCHES\n");
    }
    up += "rl_batch_size_count BATCHES\n";
    let before = format!(
        r#"{}
        rl_batch_size_sum 2
        rl_decisions_total{{outcome="allowed",policy="default"}} 4
        rl_decisions_total{{outcome="denied",policy="default"}} 20
        rl_http_request_duration_seconds_count{{endpoint="/check"}} 25
        rl_http_request_duration_seconds_count{{endpoint="/check/batch"}} 1
        rl_http_requests_total{{code="200",endpoint="/check"}} 25
        rl_http_requests_total{{code="200",endpoint="/check/batch"}} 1
        rl_redis_links{{state="closed"}} 1
        "#,
        up.replace("BATCHES", "1"),
    );
    assert_counted(&scrape(&front), &before);

    server.kill();
    eventually("the front notices", SOON, || {
        scrape(&front).value(r#"rl_redis_links{state="open"}"#) == 1.0
    });
    assert_eq!(check(&front, "z", "default", 1, 3), 2);
    assert_eq!(check(&front, "z", "open", 1, 4), 4);
    assert_eq!(check(&front, "z", "closed", 1, 5), 0);
    front.post("/check/batch", two);
    assert_eq!(front.post("/refund", r#"{"key":"z"}"#).status, 503);
    assert_eq!(front.post("/take", r#"{"key":"y"}"#).body["degraded"], json!(true));
    // Nothing was sent, so no duration was measured.
    let after = format!(
        r#"{}
        rl_batch_size_sum 4
        rl_decisions_total{{outcome="allowed",policy="default"}} 9
        rl_decisions_total{{outcome="denied",policy="default"}} 21
        rl_decisions_total{{outcome="allowed",policy="open"}} 4
        rl_decisions_total{{outcome="denied",policy="closed"}} 5
        rl_degraded_total{{on_error="local",policy="default"}} 6
        rl_degraded_total{{on_error="open",policy="open"}} 4
        rl_degraded_total{{on_error="closed",policy="closed"}} 5
        rl_http_request_duration_seconds_count{{endpoint="/check"}} 37
        rl_http_request_duration_seconds_count{{endpoint="/check/batch"}} 2
        rl_http_request_duration_seconds_count{{endpoint="/refund"}} 1
        rl_http_request_duration_seconds_count{{endpoint="/take"}} 1
        rl_http_requests_total{{code="200",endpoint="/check"}} 37
        rl_http_requests_total{{code="200",endpoint="/check/batch"}} 2
        rl_http_requests_total{{code="503",endpoint="/refund"}} 1
        rl_http_requests_total{{code="200",endpoint="/take"}} 1
        rl_redis_errors_total{{reason="down"}} 16
        rl_redis_links{{state="open"}} 1
        "#,
        up.replace("BATCHES", "2"),
    );
    assert_counted(&scrape(&front), &after);
}

#[test]
fn a_late_answer_and_a_foreign_value_are_counted_by_reason() {
    let server = Setup::with_module().start();
    server.run::<()>("SET rl:{k}:default precious");
    let front =
        Front::start(&["--store", &server.url(), "--workers", "1", "--deadline-ms", "1000"]);
    front.check(r#"{"key":"k"}"#);
    front.post("/check/batch", r#"{"checks":[{"key":"k"},{"key":"j"}]}"#);
    let before = scrape(&front);
    assert_eq!(before.value(r#"rl_redis_errors_total{reason="failed"}"#), 2.0);
    assert_eq!(before.value("rl_redis_duration_seconds_count"), 2.0);
    server.signal("STOP");
    front.check(r#"{"key":"j"}"#);
    server.signal("CONT");
    let after = scrape(&front);
    assert_eq!(after.value(r#"rl_redis_errors_total{reason="late"}"#), 1.0);
    assert_eq!(after.value("rl_redis_duration_seconds_count"), 3.0);
    let within =
        |le: &str| after.value(&format!("rl_redis_duration_seconds_bucket{{le=\"{le}\"}}"));
    assert_eq!(within("5") - within("1"), 1.0, "the deadline is in the histogram");
}

#[test]
fn no_caller_adds_a_series() {
    let file = PolicyFile::new();
    let front = file.front(&[]);
    let round = |i: usize| {
        let key = format!("n33dle-{i}");
        check(&front, &key, "default", 1, 3);
        front.post("/check", &format!(r#"{{"key":"{key}","policy":"n33dle-{i}"}}"#));
        front.get(&format!("/check?key={key}&policy=n33dle-{i}"));
        front.get(&format!("/check?key={key}"));
        front.get(&format!("/n33dle-{i}?n33dle={i}"));
        front.request("POST", &format!("/check/n33dle-{i}"), &[], "");
        for (method, path) in [("N33DLE", "/check"), ("PROPFIND", "/"), ("TRACE", "/metrics")] {
            front.request(&format!("{method}{i}"), path, &[("n33dle", "n33dle")], "");
        }
    };
    let names = |scrape: Scrape| scrape.series.into_keys().collect::<BTreeSet<_>>();
    // The first request of each kind may add the series of its status.
    round(0);
    front.post("/check/batch", r#"{"checks":[{"key":"n33dle"}]}"#);
    scrape(&front);
    let before = names(scrape(&front));
    let checks: Vec<_> = (0..1000).map(|i| json!({ "key": format!("n33dle-{i}") })).collect();
    let batch = front.post("/check/batch", &json!({ "checks": checks }).to_string());
    assert_eq!(batch.body["results"].as_array().map(Vec::len), Some(1000));
    for i in 1..50 {
        round(i);
    }
    let text = front.text("/metrics");
    assert_eq!(names(Scrape::parse(&text)), before);
    assert!(!text.to_lowercase().contains("n33dle"), "{text}");
}

#[test]
fn removed_and_refused_policies_have_no_series() {
    let file = PolicyFile::new();
    let front = file.front(&[]);
    check(&front, "k", "open", 1, 3);
    assert!(front.text("/metrics").contains(r#"policy="open""#));

    file.write("[policies.new]\ncapacity = 1\nrate = 1\n[policies.worse]\ncapacity = 0\nrate = 1");
    eventually("the file is refused", SOON, || front.log().contains("refused"));
    let metrics = front.text("/metrics");
    assert!(metrics.contains(r#"policy="open""#), "{metrics}");
    assert!(!metrics.contains(r#"policy="new""#), "{metrics}");
    let good = r#"rl_config_last_reload_successful{file="policies"}"#;
    assert_eq!(scrape(&front).value(good), 0.0);

    let first = hash(&front);
    file.write("[policies.new]\ncapacity = 1\nrate = 1\n");
    eventually("the file is loaded", SOON, || hash(&front) != first);
    let mut metrics = String::new();
    eventually("the metrics follow", SOON, || {
        metrics = front.text("/metrics");
        !metrics.contains(&first) && !metrics.contains(r#"policy="default""#)
    });
    let scrape = scrape(&front);
    for removed in ["default", "watched", "open", "closed", "inline"] {
        assert!(!metrics.contains(&format!("policy=\"{removed}\"")), "{removed}: {metrics}");
    }
    assert_eq!(scrape.value(r#"rl_decisions_total{outcome="denied",policy="new"}"#), 0.0);
    assert_eq!(scrape.value(r#"rl_config_generation{file="policies"}"#), 2.0);
    assert_eq!(scrape.value(good), 1.0);

    // A policy that comes back starts at 0, as after a restart.
    let second = hash(&front);
    file.write(POLICIES);
    eventually("the file is loaded", SOON, || hash(&front) != second);
    let open = Scrape::parse(&front.text("/metrics"));
    assert_eq!(open.value(r#"rl_decisions_total{outcome="allowed",policy="open"}"#), 0.0);
}
