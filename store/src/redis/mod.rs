//! Buckets in Redis, computed by the module or by Lua scripts.
//!
//! A [`RedisStore`] is what one worker uses; a [`Connector`] holds what all workers share. From
//! there a check goes through `client` (one server), `batch` and `dispatch` (checks that share a
//! round trip), `node` (the supervised connection to that server), `session` (a connection whose
//! `engine` is known), `commands` (what is sent, and how the reply is read) and `resp` (the bytes).
//! `topology` finds the server: one, the primary that Sentinels name, or the node of a cluster that
//! serves the key.

mod address;
mod batch;
mod client;
mod commands;
mod connector;
mod dispatch;
mod engine;
mod error;
mod export;
mod google;
mod node;
mod pieces;
mod reconnect_gate;
mod resp;
mod role;
mod session;
mod settings;
mod stall;
mod store;
mod topology;
mod worker;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use self::resp::fuzzing;
pub use self::{
    address::{Host, RedisAddress, Server, StoreAddress, Topology},
    commands::{COMMANDS, CommandKind, CommandSpec},
    connector::Connector,
    engine::EngineChoice,
    export::{BucketScan, ScanPage},
    resp::tls::{TlsSettings, Verify},
    settings::{PasswordSource, RedisOptions, RedisSettings, SettingsError},
    store::RedisStore,
};
