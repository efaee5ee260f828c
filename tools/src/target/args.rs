//! The arguments that select a target.

use std::path::PathBuf;

use super::{front::FrontClient, redis::RedisTarget, token::BearerToken};
use crate::{
    error::ToolError,
    flags::{EngineFlag, RedisArgs},
};

/// The arguments that select a target, and the form of its answer.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// URL of the front, or unix:/PATH [env: RL_SERVER=] [default: http://127.0.0.1:8080]
    // The variables are read in `resolve`: for clap, one that is set would conflict with --store.
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// File whose first line is the bearer token for the front [env: RL_TOKEN=, the token itself]
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    token_file: Option<PathBuf>,

    /// Use Redis directly, without a front: an address, or `env` to read it from RL_STORE
    ///
    /// The address is one that `rl-server --store` takes. In RL_STORE, `ps` does not show its
    /// password.
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, value_name = "STORE", conflicts_with = "server")]
    store: Option<String>,

    /// With --store: engine that computes buckets [default: auto]
    #[arg(long, value_enum, requires = "store")]
    engine: Option<EngineFlag>,

    #[command(flatten)]
    redis: RedisArgs,

    /// Print the result as JSON, on one line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// The front or the Redis that a tool addresses.
#[derive(Debug)]
pub(crate) enum Target {
    /// A front, over HTTP.
    Front(FrontClient),
    /// Redis, directly.
    Redis(RedisTarget),
}

const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

// === impl TargetArgs ===

impl TargetArgs {
    /// The target that the arguments select. `lookup` reads environment variables; an empty one
    /// counts as unset.
    pub(crate) fn resolve(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Target, ToolError> {
        let variable = |name| lookup(name).filter(|value| !value.trim().is_empty());
        if let Some(store) = &self.store {
            let engine = self.engine.unwrap_or_default().into();
            if store != "env" {
                return RedisTarget::new(store, &self.redis, engine).map(Target::Redis);
            }
            let store = variable("RL_STORE")
                .ok_or_else(|| ToolError::usage("--store env needs an address in RL_STORE"))?;
            return RedisTarget::new(&store, &self.redis, engine).map(Target::Redis);
        }
        let token = match (&self.token_file, variable("RL_TOKEN")) {
            (Some(file), _) => Some(BearerToken::read(file)?),
            (None, Some(text)) => Some(BearerToken::parse(&text)?),
            (None, None) => None,
        };
        let server = self.server.clone().or_else(|| variable("RL_SERVER"));
        let url = server.as_deref().unwrap_or(DEFAULT_SERVER);
        FrontClient::new(url, token).map(Target::Front)
    }
}
