use std::{
    cell::Cell,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use rl_bucket::{Cost, Decision, Limit, Outcome};
use rl_store::{
    Store, StoreHealth,
    memory::MemoryStore,
    redis::{Connector, EngineChoice, RedisAddress, RedisOptions, RedisSettings, RedisStore},
};
use tokio::task::yield_now;

use super::{
    ActivePolicies, CheckRequest, CheckResult, LimitSource, Limiter, LimiterError, Shared,
};
use crate::{metrics::Metrics, policy::Policies, reload::Reloadable};

const FILE: &str = r#"
    inline = true
    [policies.default]
    capacity = 2
    rate = "1/h"
    overrides.big = { capacity = 9 }
    [policies.open]
    on_error = "open"
    capacity = 7.5
    rate = 1
    [policies.closed]
    on_error = "closed"
    capacity = 7.5
    rate = 1
    [policies.small]
    on_error = "open"
    capacity = 0.5
    rate = 1
    [policies.two]
    limits = [
      { name = "a", capacity = 9, rate = "1/h" },
      { name = "b", capacity = 2, rate = "1/h" },
    ]
"#;

fn shared() -> Arc<Shared> {
    let metrics = Arc::new(Metrics::new());
    let policies = Policies::read(FILE.as_bytes()).unwrap();
    let policies = ActivePolicies::new(policies, &metrics);
    Arc::new(Shared {
        local: Arc::new(MemoryStore::new()),
        policies: Arc::new(Reloadable::new(policies)),
        pseudonyms: Default::default(),
        denials: Default::default(),
        offenders: Default::default(),
        metrics,
    })
}

fn limiter() -> Limiter {
    let shared = shared();
    Limiter::new(Store::Memory(shared.local.clone()), shared)
}

/// A limiter whose Redis accepts connections and never replies.
fn without_redis() -> (Limiter, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://{}", listener.local_addr().unwrap());
    let address = RedisAddress::parse(&address).unwrap();
    let settings = RedisSettings::new(address, RedisOptions::default()).unwrap();
    let health = Arc::new(StoreHealth::redis(1));
    let deadline = Duration::from_secs(60);
    let connector = Connector::new(settings, EngineChoice::Auto, deadline, health);
    let store = RedisStore::start(Arc::new(connector));
    (Limiter::new(Store::Redis(store), shared()), listener)
}

fn request<'a>(key: &'a str, policy: &'a str) -> CheckRequest<'a> {
    let source = LimitSource::Policy(policy.into());
    CheckRequest { key: key.into(), source, cost: Cost::ONE, prefix: None }
}

/// The turns that another task gets while this one runs.
async fn turns_of_another<T>(work: impl Future<Output = T>) -> (T, usize) {
    let turns = Rc::new(Cell::new(0));
    let counter = turns.clone();
    let other = actix_web::rt::spawn(async move {
        loop {
            counter.set(counter.get() + 1);
            yield_now().await;
        }
    });
    yield_now().await;
    let before = turns.get();
    let output = work.await;
    other.abort();
    (output, turns.get() - before)
}

/// Whether the check is allowed, and the deciding limit with its remaining tokens.
fn brief(result: &CheckResult) -> (bool, u64, i64) {
    (result.is_allowed(), result.deciding().limit, result.deciding().remaining)
}

#[actix_web::test]
async fn each_key_has_a_bucket_under_each_policy() {
    let limiter = limiter();
    let inline = || LimitSource::Inline(Limit::parse("1", "1/h").unwrap());
    for (key, source, remaining) in [
        ("a", LimitSource::Policy("default".into()), 1),
        ("a", LimitSource::Policy("default".into()), 0),
        ("b", LimitSource::Policy("default".into()), 1),
        ("big", LimitSource::Policy("default".into()), 8),
        ("a", inline(), 0),
        ("b", inline(), 0),
        ("a", LimitSource::Policy("two".into()), 1),
    ] {
        let request = CheckRequest { key: key.into(), source, cost: Cost::ONE, prefix: None };
        let result = limiter.check(&request).await.unwrap();
        assert!(result.is_allowed() && !result.is_degraded);
        assert_eq!(result.deciding().remaining, remaining, "{request:?}");
    }
}

#[actix_web::test]
async fn requests_without_a_suitable_policy_are_refused() {
    let limiter = limiter();
    assert_eq!(limiter.check(&request("k", "api")).await.err(), Some(LimiterError::UnknownPolicy));
    assert_eq!(limiter.take(&request("k", "two")).await.err(), Some(LimiterError::SeveralLimits));
}

#[actix_web::test]
async fn results_of_a_batch_are_in_the_order_of_its_requests() {
    let names = ["default", "two", "no", "default", "two", "default", "two"];
    let requests = names.map(|name| request("k", name));
    let expected = [
        Ok((true, 2, 1)),
        Ok((true, 2, 1)),
        Err(LimiterError::UnknownPolicy),
        Ok((true, 2, 0)),
        Ok((true, 2, 0)),
        Ok((false, 2, 0)),
        Ok((false, 2, 0)),
    ];
    // By memory one after the other, and as a batch by the fallback for Redis.
    let (without_redis, _silent) = without_redis();
    for limiter in [limiter(), without_redis] {
        let results = limiter.check_each(&requests).await;
        let results: Vec<_> =
            results.iter().map(|it| it.as_ref().map(brief).map_err(|it| *it)).collect();
        assert_eq!(results, expected);
    }
}

#[actix_web::test]
async fn without_redis_each_policy_decides_by_its_on_error() {
    let (limiter, _silent) = without_redis();
    for (policy, expected) in [
        ("default", (true, 2, 1)),
        ("default", (true, 2, 0)),
        ("default", (false, 2, 0)),
        ("two", (true, 2, 1)),
        ("open", (true, 7, 7)),
        ("closed", (false, 7, 0)),
    ] {
        let result = limiter.check(&request("k", policy)).await.unwrap();
        assert!(result.is_degraded);
        assert_eq!(brief(&result), expected, "{policy}");
    }
    let closed = limiter.peek(&request("k", "closed")).await.unwrap();
    assert_eq!(closed.deciding().outcome, Outcome::NotYet { retry_after_ms: 1000 });
    let many = Cost::parse(b"5.5").unwrap();
    for (policy, expected) in [("default", 2), ("open", 5), ("closed", 0)] {
        let request = CheckRequest {
            key: "t".into(),
            source: LimitSource::Policy(policy.into()),
            cost: many,
            prefix: None,
        };
        let (granted, result) = limiter.take(&request).await.unwrap();
        assert!(result.is_degraded);
        assert_eq!(granted, expected, "{policy}");
    }
    // None grants or allows more than a bucket ever holds.
    let above = Cost::parse(b"1000000").unwrap();
    for (policy, granted, never) in
        [("default", 2, false), ("open", 7, false), ("closed", 0, false), ("small", 0, true)]
    {
        let source = LimitSource::Policy(policy.into());
        let request = CheckRequest { key: "u".into(), source, cost: above, prefix: None };
        let (taken, result) = limiter.take(&request).await.unwrap();
        assert_eq!(taken, granted, "{policy}");
        assert_eq!(result.deciding().outcome == Outcome::Never, never, "{policy}");
        for result in [limiter.check(&request).await, limiter.peek(&request).await] {
            let result = result.unwrap();
            assert!(result.is_degraded);
            assert_eq!(result.deciding().outcome, Outcome::Never, "{policy}");
        }
    }
    // Changes fail: none is made locally.
    for policy in ["default", "open", "closed", "two"] {
        let request = request("k", policy);
        assert_eq!(limiter.refund(&request).await.err(), Some(LimiterError::NotChanged));
        assert_eq!(limiter.charge(&request).await.err(), Some(LimiterError::NotChanged));
        assert_eq!(limiter.reset(&request).await.err(), Some(LimiterError::NotChanged));
    }
}

#[actix_web::test]
async fn a_cached_denial_ends_when_it_should_however_often_it_is_used() {
    let (limiter, _listener) = without_redis();
    let denials = &limiter.shared.denials;
    let limits = limiter.shared.policies.get().get("default").unwrap().limits("k");
    let outcome = Outcome::NotYet { retry_after_ms: 60_000 };
    let denied = Decision { outcome, limit: 2, remaining: 0, reset_after_ms: 60_000 };
    let sent_at = Instant::now() - Duration::from_millis(10);
    denials.insert(b"rl:{k}:default", &limits, Cost::ONE, &[denied], sent_at);

    let requests = [request("k", "default")];
    let single = limiter.check(&requests[0]).await.unwrap();
    let [Ok(batched)] = &limiter.check_each(&requests).await[..] else { panic!("no result") };
    for result in [&single, batched] {
        assert!(result.is_denied() && !result.is_degraded);
    }
    let get = |ms| {
        let now = sent_at + Duration::from_millis(ms);
        denials.get(b"rl:{k}:default", &limits, Cost::ONE, now)
    };
    assert!(get(999).is_some() && get(1000).is_none(), "a second after the check was sent");
}

#[actix_web::test]
async fn others_have_turns_during_a_large_batch() {
    let keys: Vec<_> = (0..500).map(|i| format!("key:{i}")).collect();
    let requests: Vec<_> = keys.iter().chain(&keys).map(|key| request(key, "two")).collect();
    let (redis, _listener) = without_redis();
    // Buckets in memory; and without Redis, where checks are resolved first and decided later.
    for (limiter, expected) in [(limiter(), 7), (redis, 14)] {
        let (results, turns) = turns_of_another(limiter.check_each(&requests)).await;
        assert!(turns >= expected, "{turns} turns for 2,000 buckets");
        let remaining = results.iter().map(|it| it.as_ref().unwrap().decisions[1].remaining);
        let expected: Vec<_> = [[1; 500], [0; 500]].concat();
        assert!(remaining.eq(expected), "each check is made once, in order");
    }
}
