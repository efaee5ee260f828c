//! Where buckets live.

pub mod memory;
pub mod redis;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rl_bucket::{Cost, Decision, Limit, Micros};

/// A store, as one worker reaches it.
#[derive(Debug)]
pub enum Store {
    /// In this process, shared by its workers.
    Memory(Arc<memory::MemoryStore>),
    /// Redis, over this worker's link.
    Redis(redis::Link),
}

/// Why a store did not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no connection. Nothing was sent.
    Down,
    /// No answer within the deadline. The check may have been made all the same.
    Late,
    /// The store answered with an error, or the connection broke under the check.
    Failed,
}

// === impl Store ===

impl Store {
    /// Takes `cost` from the bucket `key` if it holds that many.
    pub async fn check(
        &self,
        key: &[u8],
        limit: &Limit,
        cost: Cost,
    ) -> Result<Decision, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.check_with(key, limit, cost, now)),
            Self::Redis(link) => link.check(key, limit, cost).await,
        }
    }
}

/// The clock of this machine.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::new(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}
