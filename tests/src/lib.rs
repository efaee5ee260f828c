//! What the end-to-end tests stand on: real servers that a test starts, owns and kills.
//!
//! A server has its own port and temporary directory, is waited for by asking it (never by sleeping),
//! shows its log when the test that owns it fails, and dies with it.

mod artefacts;
mod certificates;
mod clock;
mod cluster;
mod fault;
mod flavour;
mod front;
mod history;
mod namespace;
mod over;
mod process;
mod proxy;
mod redis_server;
mod running;
mod scrape;
mod seed;
mod sentinel;
mod setup;
mod web;

pub use artefacts::{module_path, panicking_module_path, server_path};
pub use certificates::Authority;
pub use clock::Clock;
pub use cluster::Cluster;
pub use fault::{Fault, FaultProxy};
pub use flavour::Flavour;
pub use front::{Answer, Front};
pub use history::{Ask, History, Limits, Load, Record, Seen};
pub use namespace::Namespace;
pub use over::Over;
pub use process::{eventually, free_port};
pub use proxy::{Proxy, ProxyProgram};
pub use redis_server::{RedisServer, expires_at};
pub use running::Running;
pub use scrape::{About, Scrape, labels};
pub use seed::Seed;
pub use sentinel::{Sentinels, group};
pub use setup::{Persistence, Setup};
pub use web::{Application, Client, Message};
