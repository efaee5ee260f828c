//! The settings of a front, checked once at start.

use std::{path::PathBuf, time::Duration};

use rl_bucket::Limit;
use rl_store::redis::{EngineChoice, RedisSettings};

use crate::{listen_address::ListenAddress, reload::Reload, telemetry::LogFormat};

/// The settings of one front. The command line refuses values that do not fit together.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: ListenAddress,
    /// Where to listen for operators; `None`: their paths are served on `listen`.
    pub admin_listen: Option<ListenAddress>,
    /// The Redis that holds the buckets; `None`: this process holds them.
    pub store: Option<RedisSettings>,
    /// The engine to use in Redis.
    pub engine: EngineChoice,
    /// The origin of the policies.
    pub policies: PolicySource,
    /// The token file; `None`: callers need no token and have all rights.
    pub tokens: Option<PathBuf>,
    /// When the files of policies, tokens and the Redis password are reloaded.
    pub reload: Reload,
    /// The most memory for buckets in this process, in bytes.
    pub memory_limit: usize,
    /// The file with the secret for pseudonyms; `None`: keys keep their names.
    pub key_secret: Option<PathBuf>,
    /// The longest a check may wait for Redis: 1 ms to 60 s.
    pub deadline: Duration,
    /// Worker threads, each with its own connections to Redis.
    pub workers: usize,
    /// The time after which a connection is closed that has no request: 1 s to 24 h.
    pub keep_alive: Duration,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// The origin of the policies.
#[derive(Clone, Debug)]
pub enum PolicySource {
    /// Flags: the limit of the policy `default`.
    Flags(Limit),
    /// A file, which is reloaded when it changes.
    File(PathBuf),
}

// === impl Settings ===

impl Settings {
    /// The address of the store, without secrets.
    pub fn store_name(&self) -> String {
        self.store.as_ref().map_or_else(|| "memory".to_owned(), |it| it.address.to_string())
    }
}
