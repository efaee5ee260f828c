//! The settings of a front, checked once at start.

use std::{path::PathBuf, time::Duration};

use rl_bucket::Limit;
use rl_store::redis::{EngineChoice, RedisSettings};

use crate::{reload::Reload, telemetry::LogFormat};

/// The settings of one front. Values that do not fit together cannot be built from a command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HOST:PORT` to bind.
    pub listen: String,
    /// `HOST:PORT` to bind for operators, if they have a listener of their own.
    pub admin_listen: Option<String>,
    /// The Redis that holds the buckets; `None`: this process does.
    pub store: Option<RedisSettings>,
    /// The engine to use in Redis.
    pub engine: EngineChoice,
    /// Where the limits come from.
    pub policies: PolicySource,
    /// The file of the tokens that callers must have; `None`: every caller may ask everything.
    pub tokens: Option<PathBuf>,
    /// When policies, tokens and the password of Redis are read again.
    pub reload: Reload,
    /// The file of the secret under which keys get pseudonyms; `None`: keys keep their names.
    pub key_secret: Option<PathBuf>,
    /// The longest a check may wait for Redis: 1 ms to 60 s.
    pub deadline: Duration,
    /// Worker threads, each with its own connections to Redis.
    pub workers: usize,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// Where the limits come from.
#[derive(Clone, Debug)]
pub enum PolicySource {
    /// Flags: the limit of the policy `default`.
    Flags(Limit),
    /// A file, read again when it changes.
    File(PathBuf),
}

// === impl Settings ===

impl Settings {
    /// The address of the store, without secrets.
    pub fn store_name(&self) -> String {
        self.store.as_ref().map_or_else(|| "memory".to_owned(), |it| it.address.to_string())
    }
}
