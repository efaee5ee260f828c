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

/// What to do with an amount of one bucket's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Take it if the bucket holds that many.
    Check,
    /// Answer as a check would, and take nothing.
    Peek,
    /// Give it back, up to the capacity.
    Refund,
    /// Take it whether it is there or not, down to a debt of one capacity.
    Charge,
}

/// Which bucket, under which limit, and how many tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request<'a> {
    /// The bucket's name in the store.
    pub key: &'a [u8],
    /// The limit that applies this time.
    pub limit: Limit,
    /// How many tokens it is about.
    pub amount: Cost,
}

/// The answer to checks that stand or fall together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllOrNothing {
    /// The first check that was denied: then nothing was taken from any bucket. `None`: all were allowed.
    pub denied: Option<usize>,
    /// One decision for each check. After a denial each says what the check alone would have met, and
    /// what the bucket still holds.
    pub decisions: Vec<Decision>,
}

/// The key holds something that is not a bucket, and that was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABucket;

/// Why a store did not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no connection. Nothing was sent.
    Down,
    /// Too much is waiting already. Nothing was sent.
    Shed,
    /// No answer within the deadline. What was asked may have been done all the same.
    Late,
    /// The store answered with an error, or the connection broke under the question.
    Failed,
}

// === impl Store ===

impl Store {
    /// Does what `ask` says with one bucket.
    pub async fn ask(&self, ask: Ask, request: &Request<'_>) -> Result<Decision, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.ask_with(ask, request, now)),
            Self::Redis(link) => link.ask(ask, request).await,
        }
    }

    /// Takes as many whole tokens as there are, at most the amount: how many, and the decision. That
    /// allows if it got some or wanted none; otherwise the wait is for the first token.
    pub async fn take(&self, request: &Request<'_>) -> Result<(u64, Decision), Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.take_with(request, now)),
            Self::Redis(link) => link.take(request).await,
        }
    }

    /// Independent checks, in order; at most 1024. A key that holds something else spoils no other, nor does a
    /// part of the store that is away.
    pub async fn check_each(
        &self,
        requests: &[Request<'_>],
    ) -> Result<Vec<Result<Decision, Unavailable>>, Unavailable> {
        match self {
            Self::Memory(memory) => {
                Ok(memory.check_each_with(requests, now).into_iter().map(Ok).collect())
            }
            Self::Redis(link) => link.check_each(requests).await,
        }
    }

    /// Takes from every bucket, or from none; at most 1024 checks. A key named twice is seen by the
    /// later check as the earlier would leave it.
    pub async fn check_all(&self, requests: &[Request<'_>]) -> Result<AllOrNothing, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.check_all_with(requests, now)),
            Self::Redis(link) => link.check_all(requests).await,
        }
    }

    /// Deletes buckets, which are then full, and nothing but buckets: how many there were.
    pub async fn reset(&self, keys: &[&[u8]]) -> Result<u64, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.reset_with(keys, now)),
            Self::Redis(link) => link.reset(keys).await,
        }
    }
}

// === impl Unavailable ===

impl Unavailable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Down, Self::Shed, Self::Late, Self::Failed];

    /// As metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Shed => "shed",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

/// The clock of this machine.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::new(since_epoch.as_secs() * 1_000_000 + u64::from(since_epoch.subsec_micros()))
}
