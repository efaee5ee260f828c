//! RL's token buckets: in this process, or in Redis.
//!
//! A [`Store`] answers "may this key proceed?" for one bucket or for several, and any Rust service
//! can embed one. All processes that share a Redis share its buckets, so together they admit no
//! more than the limit.
//!
//! ```
//! use std::sync::Arc;
//!
//! use rl_bucket::{Cost, Limit, Op};
//! use rl_store::{BucketRequest, Store, memory::MemoryStore};
//!
//! # #[tokio::main(flavor = "local")]
//! # async fn main() {
//! let store = Store::Memory(Arc::new(MemoryStore::new()));
//! let limit = Limit::parse("2", "1/s").expect("a valid limit");
//! let request = BucketRequest { key: b"user:42", limit, amount: Cost::ONE };
//! for allowed in [true, true, false] {
//!     let decision = store.apply(Op::Check, &request).await.expect("memory always answers");
//!     assert_eq!(decision.is_allowed(), allowed);
//! }
//! # }
//! ```
//!
//! `cargo run -p rl-store --example embed` runs a service of a few lines, over memory or Redis.
//!
//! A [`RedisStore`](redis::RedisStore) belongs to the thread that started it and spawns tasks
//! there, so it needs a Tokio [`LocalSet`](tokio::task::LocalSet) or
//! [`LocalRuntime`](tokio::runtime::LocalRuntime). One store for each thread shares nothing with
//! the others on the path of a check; what they do share (settings, backoff, the known topology) is
//! in a [`Connector`](redis::Connector).
//!
//! The modules, from the ground up: [`bucket_key`] names buckets, [`memory`] keeps them in this
//! process, [`redis`] keeps them in Redis, [`mod@file`] reads passwords and certificates,
//! [`StoreHealth`] tells how the store is.

#![forbid(unsafe_code)]

pub mod bucket_key;
pub mod file;
mod health;
mod hex;
mod log_throttle;
pub mod memory;
pub mod redis;
mod request;
mod sharded;
mod store;

pub use self::{
    health::{EngineKind, StoreHealth},
    hex::hex,
    log_throttle::{LogThrottle, Skipped},
    request::{BucketRequest, Decisions, JointDecision, MAX_KEY, NotABucket, StoreError},
    sharded::Sharded,
    store::{Store, now},
};
