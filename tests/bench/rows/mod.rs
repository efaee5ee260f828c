//! The measurements, row by row. [`crate::comparisons`] computes the results from them.

mod cluster;
mod commands;
mod http;
mod instructions;
mod latency;
mod memory;
mod peers;
mod redis;
mod step;
mod unix;

use std::env;
use std::path::PathBuf;

use crate::bench::Bench;
use http::Engine;
pub(crate) use peers::OtherModule;

/// A row: its name, and the function that takes its measurements under that name.
pub(crate) type Row = (&'static str, fn(&mut Bench, &str));

/// All rows, in the order in which they run.
pub(crate) const ROWS: &[Row] = &[
    ("check-100k", |bench, row| redis::check(bench, row, 100_000)),
    ("check-1m", |bench, row| redis::check(bench, row, 1_000_000)),
    ("check-short-lived", redis::short_lived),
    ("check-hot", redis::hot),
    ("peek", redis::peek),
    ("mcheck", redis::mcheck),
    ("lua-check", redis::lua_check),
    ("lua-mcheck", redis::lua_mcheck),
    ("bytes-a-key", memory::run),
    ("cluster", cluster::run),
    ("step", step::run),
    ("instructions", instructions::run),
    ("http-memory", |bench, row| http::against_bare(bench, row, Engine::Memory)),
    ("http-redis", |bench, row| http::against_bare(bench, row, Engine::Module)),
    ("http-lua", |bench, row| http::against_bare(bench, row, Engine::Lua)),
    ("http-batch-memory", |bench, row| http::batch(bench, row, Engine::Memory)),
    ("http-batch-redis", |bench, row| http::batch(bench, row, Engine::Module)),
    ("http-deny", http::deny),
    ("http-hot-memory", |bench, row| http::hot(bench, row, Engine::Memory)),
    ("http-hot-redis", |bench, row| http::hot(bench, row, Engine::Module)),
    ("http-get", http::get),
    ("unix-redis", unix::towards_redis),
    ("unix-callers", unix::from_callers),
    ("latency", latency::run),
    (PEERS_HTTP, peers::http),
    (PEERS_REDIS, peers::redis),
];

/// The rows that run only with `--peers`, or, for Redis, with `--module`.
pub(crate) const PEERS_HTTP: &str = "peers-http";
pub(crate) const PEERS_REDIS: &str = "peers-redis";

/// Cargo's target folder, which contains this program.
fn target() -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    program.ancestors().nth(2).expect("a target folder").to_owned()
}
