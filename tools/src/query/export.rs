//! `rl-server export`: the buckets of one Redis as commands for another. `redis-cli --pipe` carries them out.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use super::{Failure, Redis};
use crate::flags::RedisArgs;
use rl_store::{
    StoreHealth,
    redis::{BucketScan, EngineChoice},
};

/// Of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    /// The Redis to read, as `rl-server --store` takes it
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, env = "RL_STORE", value_name = "STORE", hide_env_values = true)]
    store: String,

    /// Keys to look at, as SCAN matches them; of these the buckets are written
    #[arg(long = "match", value_name = "PATTERN", default_value = "rl:*")]
    pattern: String,

    #[command(flatten)]
    redis: RedisArgs,
}

// === impl ExportArgs ===

impl ExportArgs {
    /// Writes them to `out`, and at the end says on stderr how many.
    pub(super) async fn run(&self, out: &mut impl Write) -> Result<(), Failure> {
        if io::stdout().is_terminal() {
            return Err(Failure::usage(
                "export writes what a terminal cannot show: rl-server export | redis-cli --pipe",
            ));
        }
        let redis = Redis::new(&self.store, &self.redis, EngineChoice::Auto)?;
        let failed = |reason| Failure::unanswered(format!("cannot use {}: {reason}", redis.name()));
        let reach = redis.reach(Arc::new(StoreHealth::redis(1)));
        let mut all = BucketScan::open(&reach, &self.pattern).await.map_err(failed)?;
        let mut buckets = 0;
        while let Some(page) = all.next().await.map_err(failed)? {
            out.write_all(&page.commands)?;
            buckets += page.buckets;
        }
        out.flush()?;
        let _ = writeln!(io::stderr(), "buckets: {buckets}");
        Ok(())
    }
}
