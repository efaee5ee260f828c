//! `rl-server export`: the buckets of one Redis, as commands that `redis-cli --pipe` runs in
//! another.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use rl_store::{
    StoreHealth,
    redis::{BucketScan, EngineChoice},
};

use crate::{error::ToolError, flags::RedisArgs, target::RedisTarget};

/// The arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Source")]
pub struct ExportArgs {
    /// Redis to read: an address as `rl-server --store` takes it
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, env = "RL_STORE", value_name = "STORE", hide_env_values = true)]
    store: String,

    /// Keys to scan, as a pattern for SCAN; those that hold no bucket are skipped
    #[arg(long = "match", value_name = "PATTERN", default_value = "rl:*")]
    pattern: String,

    #[command(flatten)]
    redis: RedisArgs,
}

// === impl ExportArgs ===

impl ExportArgs {
    /// Writes the commands to `out`, and then their number to stderr.
    pub(crate) async fn run(&self, out: &mut impl Write) -> Result<(), ToolError> {
        if io::stdout().is_terminal() {
            return Err(ToolError::usage(
                "export does not write binary data to a terminal; \
                 use it as: rl-server export | redis-cli --pipe",
            ));
        }
        let redis = RedisTarget::new(&self.store, &self.redis, EngineChoice::Auto)?;
        let failed =
            |reason| ToolError::no_answer(format!("cannot use {}: {reason}", redis.name()));
        let connector = redis.connector(Arc::new(StoreHealth::redis(1)));
        let mut scan = BucketScan::open(&connector, &self.pattern).await.map_err(failed)?;
        let mut count = 0;
        while let Some(page) = scan.next().await.map_err(failed)? {
            out.write_all(&page.commands)?;
            count += page.buckets;
        }
        out.flush()?;
        let _ = writeln!(io::stderr(), "buckets: {count}");
        Ok(())
    }
}
