//! `RL.RESET key [key ...]`: deletes buckets, and only buckets.

use super::spec::{Arguments, Command, CommandKind, CommandSpec, NumbersSent, script};
use crate::redis::{error::CommandError, resp::reply::Reply};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Reset,
    name: "RL.RESET",
    script: script!("bucket.lua", "reset.lua"),
    equal_numbers: NumbersSent::PerBucket,
};

/// Deletes buckets, and only buckets.
pub(in crate::redis) struct Reset<'a>(pub(in crate::redis) &'a [&'a [u8]]);

impl Command for Reset<'_> {
    type Output = u64;

    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Keys(self.0)
    }

    /// Reads how many buckets there were.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.count()
    }
}
