//! Buckets in Redis, computed by the module or by Lua scripts.
//!
//! A [`RedisStore`] is one worker's way in. From there a check goes through [`node`] (supervised
//! client of one server), [`batch`] and [`dispatch`] (checks that share a round trip), [`commands`]
//! (what is sent for it, and how the reply is read), [`session`] (a connection whose [`engine`] is
//! known) and [`resp`] (the bytes). [`topology`] finds the server: one, the primary that Sentinels
//! name, or the node of a cluster that serves the key. [`connector`] holds what all workers share.

mod address;
mod backoff;
mod batch;
mod commands;
mod connector;
mod dispatch;
mod engine;
mod error;
mod export;
mod google;
mod node;
mod resp;
mod session;
mod settings;
mod stall;
mod store;
mod topology;
mod worker;

pub use self::{
    address::{Host, RedisAddress, StoreAddress, Topology},
    commands::CommandKind,
    connector::Connector,
    engine::EngineChoice,
    export::{BucketScan, ScanPage},
    settings::{PasswordSource, RedisOptions, RedisSettings, SettingsError, TlsSettings, Verify},
    store::RedisStore,
};
