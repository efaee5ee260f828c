//! The harness of the end-to-end tests: real servers that a test starts, owns and kills.
//!
//! Each server has its own port and temporary directory. A test waits for it by polling, never by a
//! fixed sleep; its log is printed when the test fails, and it is killed when the test ends.

mod artefacts;
mod caller;
mod certificates;
mod child_process;
mod clock;
mod cluster;
mod fault;
mod flavour;
mod front;
mod history;
mod namespace;
mod own_file;
mod process;
mod proxy;
mod redis_server;
mod relay;
mod scrape;
mod seed;
mod sentinel;
mod setup;
#[doc(hidden)]
pub mod skip;
mod stop_on_drop;
mod web;

pub use artefacts::{example_path, module_path, panicking_module_path, server_path};
pub use caller::Caller;
pub use certificates::Authority;
pub use child_process::ChildProcess;
pub use clock::Clock;
pub use cluster::Cluster;
pub use fault::{Fault, FaultProxy};
pub use flavour::Flavour;
pub use front::{Front, Response};
pub use history::{CheckRequest, Decision, History, LimitSource, Load, Record};
pub use namespace::Namespace;
pub use own_file::{may_have_own_files, with_file};
pub use process::{eventually, free_port};
pub use proxy::{Proxy, ProxyProgram};
pub use redis_server::{RedisServer, expires_at};
pub use relay::Relay;
pub use scrape::{MetricMetadata, Scrape, labels};
pub use seed::Seed;
pub use sentinel::{Sentinels, primary_with_replicas};
pub use setup::{Persistence, Setup};
pub use stop_on_drop::StopOnDrop;
pub use web::{Application, Client, Connection, Message};
