//! Asking Redis itself, through the same link, engines and bucket names as a front.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rl_bucket::Decision;
use tokio::time::sleep;

use super::{Failure, answer::Five};
use rl_bucket::Op;
use rl_store::{
    BucketRequest, MAX_KEY, StoreError, StoreHealth,
    bucket_key::{Pseudonyms, bucket_key},
    redis::{Connector, EngineChoice, RedisSettings, RedisStore, StoreAddress},
};

use crate::flags::RedisArgs;

/// A Redis to ask.
#[derive(Debug)]
pub(crate) struct Redis {
    /// Its address, to be shown.
    name: String,
    settings: RedisSettings,
    engine: EngineChoice,
}

/// A link, and what it reports.
pub(crate) struct Line {
    pub(crate) link: RedisStore,
    pub(crate) status: Arc<StoreHealth>,
}

/// To connect, log in and find the engine; and again for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

/// The name in Redis of `key`'s bucket under `policy`, which may also be `POLICY:LIMIT`.
pub(crate) fn bucket(names: &Pseudonyms, key: &str, policy: &str) -> Result<Vec<u8>, Failure> {
    if !(1..=MAX_KEY).contains(&key.len()) {
        return Err(Failure::usage("key must be of 1 to 1024 bytes"));
    }
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if policy.is_empty() || !policy.bytes().all(sign) {
        return Err(Failure::usage(
            "policy must be a name of letters, digits, '.', '_' and '-', or POLICY:LIMIT",
        ));
    }
    Ok(bucket_key(&names.of(key), policy, None))
}

// === impl Redis ===

impl Redis {
    /// The Redis at `address`; the error never repeats the text, which may hold a password.
    pub(super) fn new(
        address: &str,
        args: &RedisArgs,
        engine: EngineChoice,
    ) -> Result<Self, Failure> {
        let address = StoreAddress::parse(address)
            .map_err(|error| Failure::usage(format!("--store {error}")))?;
        let name = address.to_string();
        match address {
            StoreAddress::Redis(address) => {
                let settings = args.settings(address).map_err(Failure::usage)?;
                Ok(Self { name, settings, engine })
            }
            StoreAddress::Memory => Err(Failure::usage(
                "--store must be a Redis: what is in the memory of a front only that front can tell",
            )),
        }
    }

    /// The five fields, as JSON.
    pub(super) async fn ask(&self, op: Op, request: &BucketRequest<'_>) -> Result<String, Failure> {
        let line = self.connect().await?;
        let decision: Decision = line
            .link
            .apply(op, request)
            .await
            .map_err(|error| self.failure(error, &line.status))?;
        serde_json::to_string(&Five::from(decision))
            .map_err(|error| Failure::unanswered(error.to_string()))
    }

    /// How many buckets were deleted, as JSON.
    pub(super) async fn reset(&self, key: &[u8]) -> Result<String, Failure> {
        let line = self.connect().await?;
        let reset =
            line.link.reset(&[key]).await.map_err(|error| self.failure(error, &line.status))?;
        Ok(format!(r#"{{"reset":{reset}}}"#))
    }

    /// Its address, to be shown.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A link that starts connecting, on this thread's runtime, and goes on trying.
    pub(crate) fn start(&self) -> Line {
        let status = Arc::new(StoreHealth::redis(1));
        let link = RedisStore::start(Arc::new(self.reach(status.clone())));
        Line { link, status }
    }

    /// How it is reached.
    pub(super) fn reach(&self, status: Arc<StoreHealth>) -> Connector {
        Connector::new(self.settings.clone(), self.engine, PATIENCE, status)
    }

    /// Gives up at the first obstacle: whoever waits at a terminal wants to read it.
    pub(crate) async fn connect(&self) -> Result<Line, Failure> {
        let line = self.start();
        self.up(&line).await.map(|()| line)
    }

    /// Waits until the line can be used, or meets an obstacle.
    pub(crate) async fn up(&self, line: &Line) -> Result<(), Failure> {
        let started = Instant::now();
        while !line.status.is_up() {
            if line.status.reason().is_some() || started.elapsed() >= PATIENCE {
                return Err(self.failure(StoreError::Down, &line.status));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    fn failure(&self, error: StoreError, status: &StoreHealth) -> Failure {
        let reason = status.reason().unwrap_or_else(|| "no answer in time".into());
        Failure::unanswered(match error {
            StoreError::Down => format!("cannot use {}: {reason}", self.name),
            StoreError::Shed => format!("{} is asked too much already", self.name),
            StoreError::Late => format!(
                "{} did not answer within {} s; it may have done what was asked all the same",
                self.name,
                PATIENCE.as_secs()
            ),
            StoreError::Failed => format!("{} did not decide: {reason}", self.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Redis, bucket};
    use crate::flags::RedisArgs;
    use rl_store::{bucket_key::Pseudonyms, redis::EngineChoice};

    #[test]
    fn buckets_are_those_of_a_front() {
        let long = "k".repeat(1025);
        for (key, policy, expected) in [
            ("user:42", "default", Some("rl:{user:42}:default")),
            ("}", "inline", Some("rl::{:}}:inline")),
            ("k", "api:per-day_2.0", Some("rl:{k}:api:per-day_2.0")),
            ("", "default", None),
            (&long, "default", None),
            ("k", "", None),
            ("k", "x}:y", None),
            ("k", "é", None),
        ] {
            let bucket = bucket(&Pseudonyms::plain(), key, policy);
            assert_eq!(bucket.as_deref().ok(), expected.map(str::as_bytes), "{key} {policy}");
            assert!(bucket.is_ok() || bucket.is_err_and(|failure| failure.code() == 2));
        }
    }

    #[test]
    fn not_a_redis() {
        for (store, reason) in [
            ("memory", "--store must be a Redis"),
            ("http://127.0.0.1:8080", "--store must be memory, or redis://"),
            ("redis://:hunter2@host:port", "--store is not a valid"),
        ] {
            let failure = Redis::new(store, &RedisArgs::default(), EngineChoice::Auto).unwrap_err();
            assert_eq!(failure.code(), 2);
            let said = failure.to_string();
            assert!(said.starts_with(reason) && !said.contains("hunter2"), "{said}");
        }
    }

    /// Nothing listens where nothing was bound.
    #[tokio::test(flavor = "local")]
    async fn nobody_there() {
        let redis =
            Redis::new("redis://:hunter2@127.0.0.1:1", &RedisArgs::default(), EngineChoice::Auto)
                .unwrap();
        let failure = redis.reset(b"k").await.unwrap_err();
        let said = failure.to_string();
        assert_eq!(failure.code(), 3);
        assert!(said.starts_with("cannot use redis://127.0.0.1:1: Connection refused"), "{said}");
    }
}
