//! The questions a store answers, and its answers.

use std::{error, fmt};

use rl_bucket::{Cost, Decision, Limit};
use smallvec::SmallVec;

/// One bucket's key and limit, and the amount an operation moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketRequest<'a> {
    /// The bucket's name in the store.
    pub key: &'a [u8],
    /// The limit that applies to this request; it may differ from the last one.
    pub limit: Limit,
    /// Tokens to move.
    pub amount: Cost,
}

/// Decisions for the limits of one key: at least one, and mostly just one.
pub type Decisions = SmallVec<[Decision; 1]>;

/// The answer to checks that are allowed together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointDecision {
    /// The first check that was denied; then no bucket was changed. `None`: all were allowed.
    pub denied: Option<usize>,
    /// One decision for each check. After a denial each is the answer that the check alone would
    /// have had, with the tokens that the bucket still holds.
    pub decisions: Vec<Decision>,
}

/// The key holds a value that is not a bucket. It was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotABucket;

/// The reason why a store did not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// No connection. Nothing was sent.
    Down,
    /// Too many requests are waiting already. Nothing was sent.
    Shed,
    /// No reply within the deadline. The operation may have been carried out.
    Late,
    /// The store replied with an error, or the connection broke before the reply. The operation may
    /// have been carried out.
    Failed,
}

/// Most bytes of a caller's key, wherever one is given.
pub const MAX_KEY: usize = 1024;

// === impl StoreError ===

impl StoreError {
    /// Every error, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Down, Self::Shed, Self::Late, Self::Failed];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Shed => "shed",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "no connection to the store",
            Self::Shed => "too many requests are waiting for the store",
            Self::Late => "no reply from the store within the deadline",
            Self::Failed => "the store failed to decide",
        })
    }
}

impl error::Error for StoreError {}
