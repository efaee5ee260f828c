//! The parts of a check apart from HTTP: parsing the request, deciding, writing the response.

#![allow(missing_docs)]

use std::{hint::black_box, sync::Arc};

use bencher::{Bencher, benchmark_group, benchmark_main};
use rl_bucket::{Cost, Decision, Limit, Outcome};
use rl_server::{
    api::bench,
    limiter::{ActivePolicies, CheckResult},
    metrics::Metrics,
    policy::Policies,
};
use rl_store::{Decisions, bucket_key::DEFAULT_POLICY, memory::MemoryStore, now};

fn limit() -> Limit {
    Limit::parse("100", "100/m").unwrap()
}

fn check_result(outcome: Outcome) -> CheckResult {
    let policies = ActivePolicies::new(Policies::without_file(limit()), &Metrics::new());
    let policy = Arc::clone(policies.get(DEFAULT_POLICY).unwrap());
    let decision = Decision { outcome, limit: 100, remaining: 42, reset_after_ms: 34_800 };
    CheckResult {
        limits: policy.limits("user:42"),
        policy,
        decisions: Decisions::from_slice(&[decision]),
        is_degraded: false,
    }
}

fn request_parse(b: &mut Bencher) {
    b.iter(|| bench::check_request(black_box(br#"{"key":"user:42"}"#)));
}

fn request_parse_inline(b: &mut Bencher) {
    let body = br#"{"key":"user:42","cost":"2.5","capacity":10,"rate":"100/m"}"#;
    b.iter(|| bench::check_request(black_box(body)));
}

fn request_parse_batch_of_100(b: &mut Bencher) {
    let checks: Vec<_> = (0..100).map(|user| format!(r#"{{"key":"user:{user}"}}"#)).collect();
    let body = format!(r#"{{"checks":[{}]}}"#, checks.join(","));
    assert_eq!(bench::batch(body.as_bytes()), Ok(100));
    b.iter(|| bench::batch(black_box(body.as_bytes())));
}

fn response_write_allowed(b: &mut Bencher) {
    let result = check_result(Outcome::Allowed);
    b.iter(|| bench::response(black_box(&result)));
}

fn response_write_denied(b: &mut Bencher) {
    let result = check_result(Outcome::NotYet { retry_after_ms: 600 });
    b.iter(|| bench::response(black_box(&result)));
}

fn memory_check(b: &mut Bencher) {
    let (store, limit) = (MemoryStore::new(), limit());
    b.iter(|| store.check_with(black_box(b"rl:{user:42}:default"), &limit, Cost::ONE, now));
}

benchmark_group!(
    check,
    request_parse,
    request_parse_inline,
    request_parse_batch_of_100,
    response_write_allowed,
    response_write_denied,
    memory_check
);
benchmark_main!(check);
