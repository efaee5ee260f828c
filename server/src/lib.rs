//! The front of RL: an HTTP server that answers "may this key proceed?" from a store of token
//! buckets.
//!
//! A request goes down through these modules: [`mod@run`] (workers; [`drain`] ends them) →
//! `listener` (connections: a `caller_stream` hands over one request at a time, by its `framing` and
//! without `upgrade_offers`) → [`api`] (HTTP and JSON) → [`limiter`] (finds the limits, and decides
//! by the store or without it) → [`policy`] and [`denials`] (decided here), [`rl_store`] (where
//! buckets live). Beside them are [`settings`], [`listen_address`] and [`unix_socket`] (where it
//! listens), [`memory_limit`] (of buckets in this process), [`reload`] and `config_files` (files
//! that are reloaded), [`access`] (tokens), [`metrics`], [`offenders`], [`status`] and [`telemetry`]
//! (the log).
//!
//! The command line is in the binary, which alone knows the subcommands of `rl-tools`.

#![forbid(unsafe_code)]

pub mod access;
pub mod api;
mod caller_stream;
mod config_files;
pub mod denials;
pub mod drain;
mod framing;
pub mod limiter;
pub mod listen_address;
mod listener;
pub mod memory_limit;
pub mod metrics;
pub mod offenders;
pub mod policy;
pub mod reload;
pub mod run;
pub mod settings;
mod slice;
pub mod status;
pub mod telemetry;
mod toml_error;
pub mod unix_socket;
mod upgrade_offers;

pub use self::{listener::Listener, run::run};
