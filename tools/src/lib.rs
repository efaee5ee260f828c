//! The subcommands of `rl-server` for people: `check`, `peek`, `reset` and `export`
//! ([`ClientCommand`]), [`mod@bench`] and [`mod@simulate`].
//!
//! They use buckets and stores as a front does, but know nothing of the front itself: they reach
//! one over HTTP, as any client.
//!
//! From the ground up: `error` and `terminal`; `target`, the front or the Redis that a tool
//! addresses; `key`, the key and policy that name a bucket; then each subcommand in a file or
//! folder of its own, and `client`, which runs those that make a single call.

#![forbid(unsafe_code)]

pub mod bench;
mod check;
mod client;
mod error;
mod export;
pub mod flags;
mod key;
mod reset;
pub mod simulate;
mod target;
mod terminal;

pub use self::client::ClientCommand;

#[cfg(test)]
mod tests;
