//! Redis, directly, through the store that a front uses.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rl_bucket::{Decision, Op};
use rl_store::{
    BucketRequest, StoreError, StoreHealth,
    redis::{Connector, EngineChoice, RedisSettings, RedisStore, StoreAddress},
};
use tokio::time::sleep;

use crate::{error::ToolError, flags::RedisArgs};

/// A Redis to connect to.
#[derive(Debug)]
pub(crate) struct RedisTarget {
    /// The address without its password.
    name: String,
    settings: RedisSettings,
    engine: EngineChoice,
}

/// A store over one Redis, and its health.
pub(crate) struct RedisClient {
    pub(crate) store: RedisStore,
    pub(crate) health: Arc<StoreHealth>,
}

/// The longest wait for a connection with login and engine; and again for each answer.
const TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

// === impl RedisTarget ===

impl RedisTarget {
    /// The Redis at `address`. The error never repeats the address, which may hold a password.
    pub(crate) fn new(
        address: &str,
        args: &RedisArgs,
        engine: EngineChoice,
    ) -> Result<Self, ToolError> {
        let address = StoreAddress::parse(address)
            .map_err(|error| ToolError::usage(format!("--store {error}")))?;
        let name = address.to_string();
        match address {
            StoreAddress::Redis(address) => {
                let settings = args.settings(address).map_err(ToolError::usage)?;
                Ok(Self { name, settings, engine })
            }
            StoreAddress::Memory => Err(ToolError::usage(
                "--store must be a Redis address; \
                 buckets in a front's memory can only be reached with --server",
            )),
        }
    }

    /// Connects and applies one operation.
    pub(crate) async fn apply(
        &self,
        op: Op,
        request: &BucketRequest<'_>,
    ) -> Result<Decision, ToolError> {
        let client = self.connect().await?;
        let decision = client.store.apply(op, request).await;
        decision.map_err(|error| self.error(error, &client.health))
    }

    /// Connects and deletes one bucket. Returns the number of buckets that were there.
    pub(crate) async fn reset(&self, bucket_key: &[u8]) -> Result<u64, ToolError> {
        let client = self.connect().await?;
        let count = client.store.reset(&[bucket_key]).await;
        count.map_err(|error| self.error(error, &client.health))
    }

    /// The address without its password.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A client that keeps trying to connect, in tasks on this thread.
    pub(crate) fn start(&self) -> RedisClient {
        let health = Arc::new(StoreHealth::redis(1));
        let store = RedisStore::start(Arc::new(self.connector(health.clone())));
        RedisClient { store, health }
    }

    pub(crate) fn connector(&self, health: Arc<StoreHealth>) -> Connector {
        Connector::new(self.settings.clone(), self.engine, TIMEOUT, health)
    }

    /// Connects, or fails at the first error, so that a person at a terminal sees it at once.
    pub(crate) async fn connect(&self) -> Result<RedisClient, ToolError> {
        let client = self.start();
        self.wait_until_up(&client).await.map(|()| client)
    }

    /// Waits for the connection, or for the first error.
    pub(crate) async fn wait_until_up(&self, client: &RedisClient) -> Result<(), ToolError> {
        let started = Instant::now();
        while !client.health.is_up() {
            if client.health.reason().is_some() || started.elapsed() >= TIMEOUT {
                return Err(self.error(StoreError::Down, &client.health));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    fn error(&self, error: StoreError, health: &StoreHealth) -> ToolError {
        let name = &self.name;
        let reason = health.reason().unwrap_or_else(|| "no answer in time".into());
        ToolError::no_answer(match error {
            StoreError::Down => format!("cannot use {name}: {reason}"),
            StoreError::Shed => format!("{name}: too many requests in flight"),
            StoreError::Late => format!(
                "{name} did not answer within {} s; the operation may have been executed",
                TIMEOUT.as_secs()
            ),
            StoreError::Failed => format!("{name} returned an error: {reason}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use rl_store::redis::EngineChoice;

    use super::RedisTarget;
    use crate::flags::RedisArgs;

    #[test]
    fn only_redis_addresses_are_accepted() {
        for (store, reason) in [
            ("memory", "--store must be a Redis"),
            ("http://127.0.0.1:8080", "--store must be memory, or redis://"),
            ("redis://:hunter2@host:port", "--store is not a valid"),
        ] {
            let args = RedisArgs::default();
            let error = RedisTarget::new(store, &args, EngineChoice::Auto).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let text = error.to_string();
            assert!(text.starts_with(reason) && !text.contains("hunter2"), "{text}");
        }
    }

    /// Nothing listens on port 1.
    #[tokio::test(flavor = "local")]
    async fn a_refused_connection_is_an_error() {
        let args = RedisArgs::default();
        let redis =
            RedisTarget::new("redis://:hunter2@127.0.0.1:1", &args, EngineChoice::Auto).unwrap();
        let error = redis.reset(b"k").await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 3);
        assert!(text.starts_with("cannot use redis://127.0.0.1:1: Connection refused"), "{text}");
    }
}
