//! One interface to both kinds of store.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rl_bucket::{Decision, Micros, Op};

use crate::{BucketRequest, JointDecision, StoreError, memory::MemoryStore, redis::RedisStore};

/// A store, as one thread uses it.
#[derive(Debug)]
pub enum Store {
    /// In this process, shared by its threads.
    Memory(Arc<MemoryStore>),
    /// Redis, over this thread's own connections.
    Redis(RedisStore),
}

// === impl Store ===

impl Store {
    /// Carries out an operation on one bucket.
    pub async fn apply(&self, op: Op, request: &BucketRequest<'_>) -> Result<Decision, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.apply_with(op, request, now)),
            Self::Redis(redis) => redis.apply(op, request).await,
        }
    }

    /// Takes as many whole tokens as there are, at most the amount. Returns how many, and the
    /// decision: allowed if some were taken or none were wanted, otherwise the wait for the first.
    pub async fn take(&self, request: &BucketRequest<'_>) -> Result<(u64, Decision), StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.take_with(request, now)),
            Self::Redis(redis) => redis.take(request).await,
        }
    }

    /// Makes independent checks, in order; at most [`MAX_CHECKS`](rl_bucket::MAX_CHECKS). A key
    /// that holds another value fails alone, and so do the keys of a node that is away.
    pub async fn check_each(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Vec<Result<Decision, StoreError>> {
        match self {
            Self::Memory(memory) => {
                memory.check_each_with(requests, now).into_iter().map(Ok).collect()
            }
            Self::Redis(redis) => redis.check_each(requests).await,
        }
    }

    /// Makes independent checks of several buckets each, as [`check_all`](Self::check_all) does, in
    /// order. Redis gets these and those of [`check_each`](Self::check_each) in pieces, between
    /// which the requests of others are sent.
    pub async fn check_all_each(
        &self,
        checks: &[&[BucketRequest<'_>]],
    ) -> Vec<Result<JointDecision, StoreError>> {
        match self {
            Self::Memory(memory) => {
                checks.iter().map(|requests| Ok(memory.check_all_with(requests, now))).collect()
            }
            Self::Redis(redis) => redis.check_all_each(checks).await,
        }
    }

    /// Takes from every bucket, or from none; at most [`MAX_CHECKS`](rl_bucket::MAX_CHECKS) checks.
    /// A key that is named twice is seen by the later check as the earlier one would leave it. In a
    /// cluster all keys must share a hash slot.
    pub async fn check_all(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Result<JointDecision, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.check_all_with(requests, now)),
            Self::Redis(redis) => redis.check_all(requests).await,
        }
    }

    /// Deletes buckets, so that they are full again, and nothing but buckets. Returns how many
    /// there were. In a cluster all keys must share a hash slot.
    pub async fn reset(&self, keys: &[&[u8]]) -> Result<u64, StoreError> {
        match self {
            Self::Memory(memory) => Ok(memory.reset_with(keys, now)),
            Self::Redis(redis) => redis.reset(keys).await,
        }
    }
}

/// This machine's clock: microseconds since the Unix epoch.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::new(since_epoch.as_secs() * 1_000_000 + u64::from(since_epoch.subsec_micros()))
}
