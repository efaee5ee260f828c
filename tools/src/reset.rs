//! `rl-server reset`.

use std::io::Write;

use serde::Deserialize;

use crate::{
    error::ToolError,
    key::KeyArgs,
    target::{INVALID_REPLY, Target, TargetArgs},
    terminal::one_line,
};

/// The arguments of `reset`.
#[derive(Clone, Debug, clap::Args)]
pub struct ResetArgs {
    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    target: TargetArgs,
}

/// The answer of `/reset`.
#[derive(Deserialize)]
struct ResetResponse {
    /// Buckets that were deleted.
    reset: u64,
}

// === impl ResetArgs ===

impl ResetArgs {
    /// Deletes the buckets of the key, and writes how many there were.
    pub(crate) async fn run(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
        out: &mut impl Write,
    ) -> Result<(), ToolError> {
        let json = match self.target.resolve(&lookup)? {
            Target::Front(front) => front.post("/reset", &self.key.body())?,
            Target::Redis(redis) => {
                let reset = redis.reset(&self.key.bucket_key(&lookup)?).await?;
                format!(r#"{{"reset":{reset}}}"#)
            }
        };
        let ResetResponse { reset } =
            serde_json::from_str(&json).map_err(|_| ToolError::no_answer(INVALID_REPLY))?;
        match reset {
            _ if self.target.json => writeln!(out, "{}", one_line(&json))?,
            0 => writeln!(out, "reset     nothing: no bucket was in use")?,
            1 => writeln!(out, "reset     1 bucket, full again")?,
            count => writeln!(out, "reset     {count} buckets, full again")?,
        }
        out.flush()?;
        Ok(())
    }
}
