use std::{net::TcpListener, sync::Arc, time::Duration};

use rl_bucket::{Cost, Limit, Outcome};

use super::{CheckRequest, CheckResult, LimitSource, Limiter, LimiterError, Shared};
use rl_store::{
    Store, StoreHealth,
    memory::MemoryStore,
    redis::{Connector, EngineChoice, RedisAddress, RedisOptions, RedisSettings, RedisStore},
};

use super::ActivePolicies;
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

/// A limiter whose Redis accepts connections and answers nothing.
fn without_redis() -> (Limiter, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("redis://{}", silent.local_addr().unwrap());
    let address = RedisAddress::parse(&address).unwrap();
    let settings = RedisSettings::new(address, RedisOptions::default()).unwrap();
    let health = Arc::new(StoreHealth::redis(1));
    let deadline = Duration::from_secs(60);
    let connector = Connector::new(settings, EngineChoice::Auto, deadline, health);
    let store = RedisStore::start(Arc::new(connector));
    (Limiter::new(Store::Redis(store), shared()), silent)
}

fn question<'a>(key: &'a str, policy: &'a str) -> CheckRequest<'a> {
    CheckRequest { key: key.into(), source: LimitSource::Policy(policy.into()), cost: Cost::ONE }
}

fn brief(answer: &CheckResult) -> (bool, u64, i64) {
    (answer.is_allowed(), answer.deciding().limit, answer.deciding().remaining)
}

#[actix_web::test]
async fn each_key_and_policy_has_its_bucket() {
    let limiter = limiter();
    let inline = || LimitSource::Inline(Limit::parse("1", "1/h").unwrap());
    for (key, policy, remaining) in [
        ("a", LimitSource::Policy("default".into()), 1),
        ("a", LimitSource::Policy("default".into()), 0),
        ("b", LimitSource::Policy("default".into()), 1),
        ("big", LimitSource::Policy("default".into()), 8),
        ("a", inline(), 0),
        ("b", inline(), 0),
        ("a", LimitSource::Policy("two".into()), 1),
    ] {
        let question = CheckRequest { key: key.into(), policy, cost: Cost::ONE };
        let answer = limiter.check(&question).await.unwrap();
        assert!(answer.is_allowed() && !answer.is_degraded);
        assert_eq!(answer.deciding().remaining, remaining, "{question:?}");
    }
}

#[actix_web::test]
async fn what_is_refused() {
    let limiter = limiter();
    assert_eq!(limiter.check(&question("k", "api")).await.err(), Some(LimiterError::UnknownPolicy));
    assert_eq!(limiter.take(&question("k", "two")).await.err(), Some(LimiterError::SeveralLimits));
}

#[actix_web::test]
async fn each_is_answered_in_its_place() {
    let names = ["default", "two", "no", "default", "two", "default", "two"];
    let questions = names.map(|name| question("k", name));
    let expected = [
        Ok((true, 2, 1)),
        Ok((true, 2, 1)),
        Err(LimiterError::UnknownPolicy),
        Ok((true, 2, 0)),
        Ok((true, 2, 0)),
        Ok((false, 2, 0)),
        Ok((false, 2, 0)),
    ];
    // One after the other, and together by what stands in for Redis.
    let (without_redis, _silent) = without_redis();
    for limiter in [limiter(), without_redis] {
        let answers = limiter.check_each(&questions).await;
        let told: Vec<_> =
            answers.iter().map(|it| it.as_ref().map(brief).map_err(|it| *it)).collect();
        assert_eq!(told, expected);
    }
}

#[actix_web::test]
async fn a_policy_says_what_happens_without_redis() {
    let (limiter, _silent) = without_redis();
    for (policy, expected) in [
        ("default", (true, 2, 1)),
        ("default", (true, 2, 0)),
        ("default", (false, 2, 0)),
        ("two", (true, 2, 1)),
        ("open", (true, 7, 7)),
        ("closed", (false, 7, 0)),
    ] {
        let answer = limiter.check(&question("k", policy)).await.unwrap();
        assert!(answer.is_degraded);
        assert_eq!(brief(&answer), expected, "{policy}");
    }
    let closed = limiter.peek(&question("k", "closed")).await.unwrap();
    assert_eq!(closed.deciding().outcome, Outcome::NotYet { retry_after_ms: 1000 });
    let many = Cost::parse(b"5.5").unwrap();
    for (policy, expected) in [("default", 2), ("open", 5), ("closed", 0)] {
        let question = CheckRequest {
            key: "t".into(),
            source: LimitSource::Policy(policy.into()),
            cost: many,
        };
        let (granted, answer) = limiter.take(&question).await.unwrap();
        assert!(answer.is_degraded);
        assert_eq!(granted, expected, "{policy}");
    }
    // A change is not made up.
    for policy in ["default", "open", "closed", "two"] {
        let question = question("k", policy);
        assert_eq!(limiter.refund(&question).await.err(), Some(LimiterError::NotChanged));
        assert_eq!(limiter.charge(&question).await.err(), Some(LimiterError::NotChanged));
        assert_eq!(limiter.reset(&question).await.err(), Some(LimiterError::NotChanged));
    }
}
