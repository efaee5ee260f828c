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
    ///
    /// It calls a front, or Redis directly with --store, and uses the same buckets as every front.
    #[command(after_help = CHECK)]
    Check(CheckArgs),
    /// Show the answer of a check without taking tokens
    ///
    /// It calls a front, or Redis directly with --store. The answer is that of a check at this
    /// moment.
    #[command(after_help = PEEK)]
    Peek(CheckArgs),
    /// Delete a key's buckets, so that they are full again
    ///
    /// It calls a front, whose token needs the role that allows it, or Redis directly with --store.
    #[command(after_help = RESET)]
    Reset(ResetArgs),
    /// Write the buckets in Redis as commands that load them into another Redis
    ///
    /// The commands go to standard output, in the form that `redis-cli --pipe` reads; the number of
    /// buckets goes to standard error.
    #[command(after_help = EXPORT)]
    Export(ExportArgs),
}

const CHECK: &str = "\
Examples:
  Under the front's policy `default`, and under another:
    rl-server check user:42
    rl-server check user:42 --policy api --cost 5

  Under a limit of your own, at another front:
    rl-server check user:42 --capacity 10 --rate 10/m --server http://10.0.0.5:8080

  In a script:
    rl-server check job:nightly --json || exit

Exit status:
  0  allowed
  1  denied
  2  invalid command line
  3  no answer";

const PEEK: &str = "\
Examples:
  What is left for a key:
    rl-server peek user:42

  In Redis itself, one limit of a policy with several:
    rl-server peek user:42 --store env --policy api:burst --capacity 20 --rate 10/s

Exit status:
  0  a check would be allowed
  1  a check would be denied
  2  invalid command line
  3  no answer";

const RESET: &str = "\
Examples:
  A customer gets all tokens back:
    rl-server reset user:42 --policy api --token-file /etc/rl/operator-token

Exit status:
  0  done, also if no bucket was in use
  2  invalid command line
  3  no answer";

const EXPORT: &str = "\
Examples:
  From one Redis into another:
    rl-server export --store redis://127.0.0.1:7001 | redis-cli -p 7002 --pipe

  The buckets of one policy:
    rl-server export --store redis://127.0.0.1:7001 --match 'rl:*:api' >buckets

Exit status:
  0  all buckets were written
  2  invalid command line
  3  no answer, or the output could not be written";

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
