//! `RL.CHECK key capacity rate cost`: takes the cost if the bucket holds it.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, EqualNumbers, script};
use crate::{
    BucketRequest,
    redis::{error::CommandError, resp::reply::Reply},
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Check,
    name: "RL.CHECK",
    script: script!("checks.lua", "check.lua"),
    equal_numbers: EqualNumbers::Once,
};

/// Takes the cost if the bucket holds it.
pub(in crate::redis) struct Check<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Check<'_> {
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
