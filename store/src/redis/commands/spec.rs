//! The parts of a command: a name, a script, arguments, and the reading of its reply.

use rl_bucket::Decision;

use crate::{
    BucketRequest, JointDecision,
    redis::{error::CommandError, resp::reply::Reply},
};

/// One call of a command.
pub(in crate::redis) trait Command {
    /// The answer in the reply.
    type Output: Answer;

    /// The command that is called.
    fn spec(&self) -> &'static CommandSpec;

    /// The arguments of this call.
    fn arguments(&self) -> Arguments<'_>;

    /// Reads the reply.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError>;
}

/// The answer to a request.
pub(in crate::redis) trait Answer {
    /// Whether it shows that the server stored something. A denial does not, since a script that
    /// denies writes nothing.
    fn shows_a_write(&self) -> bool;
}

/// A command of the module, and the script that gives the same answers.
#[derive(Debug)]
pub struct CommandSpec {
    /// The command.
    pub kind: CommandKind,
    /// The name in the module.
    pub name: &'static str,
    /// The script. Its KEYS are the buckets, its ARGV capacity, tokens a second and amount of each.
    pub script: &'static str,
    /// The number of times that the script takes numbers that are equal for all buckets.
    pub(in crate::redis) equal_numbers: NumbersSent,
}

/// The commands of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Takes tokens if there are enough.
    Check,
    /// Gives the answer of a check and takes nothing.
    Peek,
    /// Makes independent checks.
    MCheck,
    /// Takes from every bucket or from none.
    CheckAll,
    /// Takes as many whole tokens as there are.
    Take,
    /// Gives tokens back.
    Refund,
    /// Takes tokens, down to a debt.
    Charge,
    /// Deletes buckets.
    Reset,
}

/// The number of times that limits and amounts are sent if they are equal for all buckets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::redis) enum NumbersSent {
    /// Once for all.
    Once,
    /// Once for each.
    PerBucket,
}

/// The arguments of a call.
pub(in crate::redis) enum Arguments<'a> {
    /// Buckets, each with its limit and an amount.
    Buckets(&'a [BucketRequest<'a>]),
    /// Keys alone.
    Keys(&'a [&'a [u8]]),
}

// === impl Answer ===

/// The answer to a heartbeat.
impl Answer for () {
    fn shows_a_write(&self) -> bool {
        false
    }
}

/// The number of buckets that were deleted, which a full server does too.
impl Answer for u64 {
    fn shows_a_write(&self) -> bool {
        false
    }
}

/// The answer to a peek, a refund or a charge, of which the first writes nothing.
impl Answer for Decision {
    fn shows_a_write(&self) -> bool {
        false
    }
}

impl Answer for (u64, Decision) {
    fn shows_a_write(&self) -> bool {
        self.0 > 0
    }
}

impl<E> Answer for Vec<Result<Decision, E>> {
    fn shows_a_write(&self) -> bool {
        self.iter().flatten().any(Decision::is_allowed)
    }
}

impl Answer for JointDecision {
    fn shows_a_write(&self) -> bool {
        self.denied.is_none()
    }
}

/// Files of `store/lua`, joined.
macro_rules! script {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("../../../lua/", $file))),+)
    };
}
pub(super) use script;
