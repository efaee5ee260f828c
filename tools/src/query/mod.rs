//! The command line for people: `rl-server check|peek|reset KEY`, asked of a running front, or straight
//! of Redis; and `export`, which reads all buckets of a Redis.
//!
//! It asks once and tells the answer in one glance, or as the front's JSON; either place answers in
//! that JSON, so there is one way to read it. A script goes by the exit code: 0 allowed (or reset), 1
//! denied, 2 a command line that makes no sense, 3 nobody answered.

mod answer;
mod args;
mod direct;
mod export;
mod http;
mod print;
mod token;

use std::{
    env, error, fmt,
    io::{self, Write},
    process::ExitCode,
};

use serde::Deserialize;

use self::{answer::Answer, print::one_line};
use rl_bucket::Op;
use rl_store::BucketRequest;

pub(crate) use self::{
    args::Place,
    direct::{Line, Redis, bucket},
    http::{Body, Front, problem},
    print::printable,
};
pub use self::{
    args::{CheckArgs, ResetArgs, Subject, Target},
    export::ExportArgs,
};

/// What to ask.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Ask whether a key may go on now, and take the tokens if it may
    Check(CheckArgs),
    /// Answer as check would, and take nothing
    Peek(CheckArgs),
    /// Forget a key's buckets: they are full again
    Reset(ResetArgs),
    /// Write the buckets of a Redis as commands that put them into another
    Export(ExportArgs),
}

/// The answer, as far as a script needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key may go on.
    Allowed,
    /// It may not, now or ever.
    Denied,
    /// What was to be done is.
    Done,
}

/// Why there is no verdict. It displays without control characters, tokens and passwords.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense.
    Usage(String),
    /// Nobody answered: no connection, no answer in time, a problem instead of an answer.
    Unanswered(String),
    /// The answer could not be written out. What was asked has been done.
    Unwritten(io::Error),
}

/// What `/reset` answers.
#[derive(Deserialize)]
struct ResetAnswer {
    reset: u64,
}

// === asking ===

impl Command {
    /// Asks, tells the answer on stdout or the failure on stderr, and says how to exit.
    pub async fn execute(&self) -> ExitCode {
        let code = match self.run(|name| env::var(name).ok(), &mut io::stdout()).await {
            Ok(verdict) => verdict.code(),
            Err(failure) => {
                let _ = writeln!(io::stderr(), "rl-server: {failure}");
                failure.code()
            }
        };
        code.into()
    }

    /// Asks, in an environment where variables are read by `lookup`, and writes the answer to `out`.
    ///
    /// Over HTTP it blocks its thread until the answer is there.
    pub async fn run(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
        out: &mut impl Write,
    ) -> Result<Verdict, Failure> {
        match self {
            Self::Check(args) => ask(Op::Check, args, lookup, out).await,
            Self::Peek(args) => ask(Op::Peek, args, lookup, out).await,
            Self::Reset(args) => reset(args, lookup, out).await,
            Self::Export(args) => args.run(out).await.map(|()| Verdict::Done),
        }
    }
}

/// A check or a peek.
async fn ask(
    op: Op,
    args: &CheckArgs,
    lookup: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> Result<Verdict, Failure> {
    let json = match args.target.place(&lookup)? {
        Place::Front(front) if op == Op::Peek => front.post("/peek", &args.body()?)?,
        Place::Front(front) => front.post("/check", &args.body()?)?,
        Place::Redis(redis) => {
            let (key, limit) = (args.subject.redis_key(&lookup)?, args.limit()?);
            redis.ask(op, &BucketRequest { key: &key, limit, amount: args.cost() }).await?
        }
    };
    let answer: Answer = serde_json::from_str(&json).map_err(|_| nonsense())?;
    if args.target.json {
        writeln!(out, "{}", one_line(&json))?;
    } else {
        write!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(if answer.allowed() { Verdict::Allowed } else { Verdict::Denied })
}

async fn reset(
    args: &ResetArgs,
    lookup: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> Result<Verdict, Failure> {
    let json = match args.target.place(&lookup)? {
        Place::Front(front) => front.post("/reset", &args.subject.body())?,
        Place::Redis(redis) => redis.reset(&args.subject.redis_key(&lookup)?).await?,
    };
    let ResetAnswer { reset } = serde_json::from_str(&json).map_err(|_| nonsense())?;
    match reset {
        _ if args.target.json => writeln!(out, "{}", one_line(&json))?,
        0 => writeln!(out, "reset     nothing: no bucket was in use")?,
        1 => writeln!(out, "reset     1 bucket, full again")?,
        many => writeln!(out, "reset     {many} buckets, full again")?,
    }
    out.flush()?;
    Ok(Verdict::Done)
}

fn nonsense() -> Failure {
    Failure::unanswered("what answered is no rl-server: its answer makes no sense")
}

// === impl Verdict ===

impl Verdict {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Allowed | Self::Done => 0,
            Self::Denied => 1,
        }
    }
}

// === impl Failure ===

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn unanswered(text: impl Into<String>) -> Self {
        Self::Unanswered(text.into())
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Unanswered(_) | Self::Unwritten(_) => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Unanswered(text) => f.write_str(&printable(text)),
            Self::Unwritten(error) => write!(f, "it was asked, but the answer is lost: {error}"),
        }
    }
}

impl error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unwritten(error)
    }
}

#[cfg(test)]
mod tests;
