//! The subcommands of `rl-server` for people: `check`, `peek`, `reset` and `export` ask a front or
//! Redis ([`query`]), `bench` loads one ([`mod@bench`]), `simulate` shows how algorithms meet a load
//! ([`simulate`]).
//!
//! They use buckets and stores as a front does, and know nothing of the front itself: they reach one
//! over HTTP, as any client.

#![forbid(unsafe_code)]

pub mod bench;
pub mod flags;
pub mod query;
pub mod simulate;
