//! What is measured, row by row. [`crate::figures`] says what is made of it.

mod cluster;
mod http;
mod instructions;
mod latency;
mod memory;
mod peers;
mod redis;
mod step;
mod stores;

use std::env;
use std::path::PathBuf;

use crate::bench::Bench;
use http::Over;
pub(crate) use peers::OtherModule;

/// A row: its name, which says what is measured, and the measurements, taken under that name.
pub(crate) type Row = (&'static str, fn(&mut Bench, &str));

/// In the order in which they run.
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
    ("http-memory", |bench, row| http::against_bare(bench, row, Over::Memory)),
    ("http-redis", |bench, row| http::against_bare(bench, row, Over::Module)),
    ("http-lua", |bench, row| http::against_bare(bench, row, Over::Lua)),
    ("http-batch-memory", |bench, row| http::batch(bench, row, Over::Memory)),
    ("http-batch-redis", |bench, row| http::batch(bench, row, Over::Module)),
    ("http-deny", http::deny),
    ("http-hot-memory", |bench, row| http::hot(bench, row, Over::Memory)),
    ("http-hot-redis", |bench, row| http::hot(bench, row, Over::Module)),
    ("http-get", http::get),
    ("latency", latency::run),
    (PEERS_HTTP, peers::http),
    (PEERS_REDIS, peers::redis),
];

/// Rows that run only when peers are asked for.
pub(crate) const PEERS_HTTP: &str = "peers-http";
pub(crate) const PEERS_REDIS: &str = "peers-redis";

/// Cargo's target folder, in which this program lies.
fn target() -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    program.ancestors().nth(2).expect("a target folder").to_owned()
}
