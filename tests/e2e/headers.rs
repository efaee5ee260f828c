//! `RateLimit-Policy`, `RateLimit` and `Retry-After`, parsed by a library for structured fields.

use std::fs;

use rl_tests::{Front, Response};
use serde_json::json;
use sfv::{BareItem, List, ListEntry, Parser};
use tempfile::TempDir;

/// The items of a list: strings, each with its integer parameters.
fn items(text: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let list: List = Parser::new(text).parse().expect("a list (RFC 9651)");
    list.iter()
        .map(|entry| {
            let ListEntry::Item(item) = entry else { panic!("an item: {text}") };
            let BareItem::String(name) = &item.bare_item else { panic!("a string: {text}") };
            let parameters = item.params.iter().map(|(key, value)| {
                let BareItem::Integer(value) = value else { panic!("an integer: {text}") };
                (key.as_str().to_owned(), i64::from(*value))
            });
            (name.as_str().to_owned(), parameters.collect())
        })
        .collect()
}

fn assert_headers(
    answer: &Response,
    policy: &[(&str, i64, i64)],
    state: &[(&str, i64, Option<i64>)],
) {
    let parameter = |key: &str, value: i64| (key.to_owned(), value);
    let expected: Vec<_> = policy
        .iter()
        .map(|(name, q, w)| ((*name).to_owned(), vec![parameter("q", *q), parameter("w", *w)]))
        .collect();
    assert_eq!(items(answer.header("ratelimit-policy")), expected);
    let expected: Vec<_> = state
        .iter()
        .map(|(name, r, t)| {
            let t = t.map(|t| parameter("t", t));
            ((*name).to_owned(), [parameter("r", *r)].into_iter().chain(t).collect())
        })
        .collect();
    assert_eq!(items(answer.header("ratelimit")), expected);
}

#[test]
fn every_answer_carries_the_headers() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    let policies = r#"
        inline = true
        [policies.default]
        capacity = 100
        rate = "100/m"
        [policies.api]
        limits = [
          { name = "burst", capacity = 2, rate = "1/h" },
          { name = "day", capacity = 10000, rate = "10000/d" },
        ]
    "#;
    fs::write(&file, policies).expect("to write the policies");
    let front = Front::start(&["--config", file.to_str().expect("a path in UTF-8")]);

    let full = front.post("/peek", r#"{"key":"k"}"#);
    assert_headers(&full, &[("default", 100, 60)], &[("default", 100, None)]);
    let first = front.post("/check", r#"{"key":"k"}"#);
    assert_headers(&first, &[("default", 100, 60)], &[("default", 99, Some(1))]);
    assert_eq!(first.header("retry-after"), "");

    let api = r#"{"key":"k","policy":"api","cost":2}"#;
    let limits = [("burst", 2, 7200), ("day", 10000, 86400)];
    assert_headers(
        &front.post("/check", api),
        &limits,
        &[("burst", 0, Some(7200)), ("day", 9998, Some(18))],
    );
    let denied = front.post("/check", api);
    assert_eq!(denied.body["allowed"], json!(false));
    assert_headers(&denied, &limits, &[("burst", 0, Some(7200)), ("day", 9998, Some(18))]);
    let retry: i64 = denied.header("retry-after").parse().expect("whole seconds");
    assert_eq!(retry, 7200, "not before the window ends");

    // A wait of less than a second is sent as one second; no wait is sent if none helps.
    let quick = r#"{"key":"q","capacity":1,"rate":"100/s"}"#;
    let denied =
        (0..100).map(|_| front.post("/check", quick)).find(|it| it.body["allowed"] == json!(false));
    assert_eq!(denied.expect("a denial").header("retry-after"), "1");
    let never = front.post("/check", r#"{"key":"n","capacity":1.5,"rate":"1/h","cost":2}"#);
    assert_eq!(never.header("retry-after"), "");
    assert_headers(&never, &[("inline", 1, 5400)], &[("inline", 1, None)]);

    // The extremes still fit an integer of RFC 9651: 15 digits.
    let extreme = front.post("/check", r#"{"key":"x","capacity":1e9,"rate":1e-9}"#);
    let window = 999_999_999_999_999;
    assert_headers(
        &extreme,
        &[("inline", 1_000_000_000, window)],
        &[("inline", 999_999_999, Some(1_000_000_000))],
    );
}

#[test]
fn a_request_id_is_echoed_if_it_is_valid() {
    let front = Front::start(&[]);
    let echo = |id: &str| {
        let answer = front.request("POST", "/check", &[("X-Request-Id", id)], r#"{"key":"k"}"#);
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(echo("7f3a-2.B_c"), "7f3a-2.B_c");
    for other in ["", "a b", "a;b", "<script>", &"x".repeat(129)] {
        assert_eq!(echo(other), "", "{other}");
    }
    // On an error too.
    let refused = front.request("POST", "/check", &[("X-Request-Id", "r-1")], "{");
    assert_eq!((refused.status, refused.header("x-request-id")), (400, "r-1"));
}

#[test]
fn no_number_in_a_header_misleads() {
    let front = Front::start(&[]);
    // A second check waits for more than 15 digits of seconds.
    let slow = r#"{"key":"k","capacity":1000000000,"rate":"0.000001","cost":1000000000}"#;
    front.check(slow);
    let denied = front.post("/check", slow);
    assert_eq!(denied.header("retry-after"), "999999999999999");
    assert_eq!(items(denied.header("ratelimit"))[0].1[1].1, 999_999_999_999_999);
    // A quota of 0 would say that nothing is ever allowed.
    let half = front.post("/check", r#"{"key":"half","capacity":0.5,"rate":1,"cost":"0.5"}"#);
    assert_eq!(half.body["allowed"], json!(true));
    assert_eq!(items(half.header("ratelimit-policy"))[0].1[0], ("q".to_owned(), 1));
}
