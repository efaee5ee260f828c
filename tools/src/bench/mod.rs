//! `rl-server bench`: a load generator for a front, or for Redis directly.
//!
//! It measures what callers would see. With a rate, the times of the requests are fixed beforehand,
//! and latency counts from them; keys can be drawn as unevenly as in real traffic; and it warns
//! when the generator itself was the bottleneck. Keys have a prefix of their own, so no real
//! caller's bucket is touched.
//!
//! From the ground up: `template` and `zipf`; `keyspace`, the keys, and `schedule`, the times;
//! `stats`, the counts; `args`; `http` and `redis`, which send requests; `thread`, which does so in
//! a loop; `progress` and `report`, which show the counts; `run` and `command`.

mod args;
mod command;
mod duration;
mod histogram;
mod http;
mod keyspace;
mod plan;
mod progress;
mod redis;
mod report;
mod run;
mod schedule;
mod stats;
mod template;
mod thread;
mod zipf;

pub use self::{args::BenchArgs, command::execute};
