//! Requests to Redis, through the store and with the bucket keys of a front.

use std::rc::Rc;

use rl_bucket::{Cost, Limit, Op};
use rl_store::{
    BucketRequest, EngineKind, StoreError,
    bucket_key::{DEFAULT_POLICY, Pseudonyms},
};

use super::{
    args::BenchArgs,
    keyspace::KeySpace,
    stats::{CheckCounts, RequestError},
    template::Template,
};
use crate::{
    error::ToolError,
    key::valid_bucket_key,
    target::{RedisClient, RedisTarget},
};

/// A Redis, and the requests for it.
pub(super) struct RedisLoad {
    redis: RedisTarget,
    limit: Limit,
    cost: Cost,
    bucket_key: Template,
    batch: usize,
}

/// Sends one request at a time over a connection that other senders may share.
pub(super) struct RedisSender {
    client: Rc<RedisClient>,
    limit: Limit,
    cost: Cost,
    /// A bucket key for each check of a request.
    bucket_keys: Vec<Template>,
}

// === impl RedisLoad ===

impl RedisLoad {
    /// The requests that the arguments describe.
    pub(super) fn new(
        redis: RedisTarget,
        args: &BenchArgs,
        keyspace: &KeySpace,
    ) -> Result<Self, ToolError> {
        let policy = args.policy.as_deref().unwrap_or(DEFAULT_POLICY);
        let bucket_key = valid_bucket_key(&Pseudonyms::plain(), &keyspace.key(0), policy)?;
        let end = bucket_key.len() - "}:".len() - policy.len();
        Ok(Self {
            redis,
            limit: args.limit()?,
            cost: args.cost(),
            bucket_key: Template::new(bucket_key, &[end], keyspace.width()),
            batch: args.batch,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.redis.name()
    }

    /// Connects, and returns the name of the engine.
    pub(super) async fn probe(&self) -> Result<&'static str, ToolError> {
        let client = self.redis.connect().await?;
        Ok(match client.health.engine() {
            EngineKind::Lua => "lua",
            _ => "module",
        })
    }

    /// Connects. If that fails now, the client keeps trying.
    pub(super) async fn open(&self) -> Rc<RedisClient> {
        let client = self.redis.start();
        let _ = self.redis.wait_until_up(&client).await;
        Rc::new(client)
    }

    pub(super) fn sender(&self, client: &Rc<RedisClient>) -> RedisSender {
        RedisSender {
            client: Rc::clone(client),
            limit: self.limit,
            cost: self.cost,
            bucket_keys: vec![self.bucket_key.clone(); self.batch],
        }
    }
}

// === impl RedisSender ===

impl RedisSender {
    /// Sends one request that checks the keys with these numbers.
    pub(super) async fn send(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<CheckCounts, RequestError> {
        for (bucket_key, number) in self.bucket_keys.iter_mut().zip(numbers) {
            bucket_key.fill([number]);
        }
        let (limit, amount) = (self.limit, self.cost);
        let request = |key| BucketRequest { key: Template::bytes(key), limit, amount };
        let mut counts = CheckCounts::default();
        let store = &self.client.store;
        match self.bucket_keys.as_slice() {
            [key] => {
                let decision = store.apply(Op::Check, &request(key)).await;
                counts.count(decision.map_err(|error| self.error(error))?.is_allowed());
            }
            keys => {
                let requests: Vec<_> = keys.iter().map(request).collect();
                for decision in store.check_each(&requests).await {
                    match decision {
                        Ok(decision) => counts.count(decision.is_allowed()),
                        Err(StoreError::Failed) => {
                            counts.errors.push("the key holds no bucket".into());
                        }
                        Err(error) => return Err(self.error(error)),
                    }
                }
            }
        }
        Ok(counts)
    }

    fn error(&self, error: StoreError) -> RequestError {
        let reason = self.client.health.reason();
        match (error, reason) {
            (StoreError::Late, _) => "no answer in time".into(),
            (_, Some(reason)) => reason.into_string().into(),
            (StoreError::Shed, None) => "too many requests in flight".into(),
            (StoreError::Down, None) => "no connection".into(),
            (StoreError::Failed, None) => "an error reply".into(),
        }
    }
}
