//! RL inside Redis: a module whose `RL.*` commands read, refill and take from a token bucket in one
//! atomic step.
//!
//! [`rl_bucket`] decides. This crate reads arguments (`args`), runs the step of each command
//! (`commands`) and talks to the server (`redis`, the only folder with `unsafe`). It loads on Redis
//! 6.2 to 8 and on Valkey: newer parts of the module API are used where the server has them.
//!
//! A panic would take the whole server down, so no code here may panic, and the entry point catches
//! any panic all the same.

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
