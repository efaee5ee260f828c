//! The subcommands that make a single call to a front, or directly to Redis.
//!
//! Scripts read the exit code: 0 for allowed or done, 1 for denied, 2 for a bad command line, 3 for
//! no answer.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use rl_bucket::Op;

use crate::{check::CheckArgs, error::ToolError, export::ExportArgs, reset::ResetArgs};

/// A single call to a front or to Redis.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ClientCommand {
    /// Check whether a key may proceed, and take the tokens if so
    Check(CheckArgs),
    /// Show the answer of a check without taking tokens
    Peek(CheckArgs),
    /// Delete a key's buckets, so that they are full again
    Reset(ResetArgs),
    /// Write the buckets in Redis as commands that load them into another Redis
    Export(ExportArgs),
}

/// The exit code of a check that was denied.
const DENIED: u8 = 1;

// === impl ClientCommand ===

impl ClientCommand {
    /// Makes the call and prints the answer to stdout, or the error to stderr.
    pub async fn execute(&self) -> ExitCode {
        let code = match self.run(|name| env::var(name).ok(), &mut io::stdout()).await {
            Ok(code) => code,
            Err(error) => {
                let _ = writeln!(io::stderr(), "rl-server: {error}");
                error.exit_code()
            }
        };
        code.into()
    }

    /// Makes the call, writes the answer to `out` and returns the exit code. `lookup` reads
    /// environment variables.
    ///
    /// A call to a front blocks the thread until it is answered.
    pub(crate) async fn run(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
        out: &mut impl Write,
    ) -> Result<u8, ToolError> {
        let is_allowed = match self {
            Self::Check(args) => args.run(Op::Check, lookup, out).await?,
            Self::Peek(args) => args.run(Op::Peek, lookup, out).await?,
            Self::Reset(args) => args.run(lookup, out).await.map(|()| true)?,
            Self::Export(args) => args.run(out).await.map(|()| true)?,
        };
        Ok(if is_allowed { 0 } else { DENIED })
    }
}
