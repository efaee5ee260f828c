//! RL inside Redis: a module whose `RL.*` commands read, refill and take from a token bucket in one
//! atomic step.
//!
//! The decisions are [`rl_bucket`]'s. This crate turns arguments into questions (`args`), asks the
//! bucket (`commands`) and speaks to the server (`redis`, the only folder with `unsafe`). It loads on
//! Redis 6.2 to 8 and on Valkey: abilities that came later are used where the server has them.
//!
//! A panic here would take the whole server down, so nothing on the way may panic, and the boundary
//! catches what would all the same.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod args;
mod commands;
mod error;
mod redis;
mod stats;
