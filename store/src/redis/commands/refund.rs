//! `RL.REFUND key capacity rate n`: gives tokens back, up to the capacity.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, EqualNumbers, script};
use crate::{
    BucketRequest,
    redis::{error::CommandError, resp::reply::Reply},
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Refund,
    name: "RL.REFUND",
    script: script!("bucket.lua", "one.lua", "refund.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Gives tokens back, up to the capacity.
pub(in crate::redis) struct Refund<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Refund<'_> {
    type Output = Decision;

    fn spec(&self) -> &'static CommandSpec {
        &SPEC
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(slice::from_ref(self.0))
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
