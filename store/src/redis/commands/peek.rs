//! `RL.PEEK key capacity rate cost`: gives the answer of a check and takes nothing.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, EqualNumbers, script};
use crate::{
    BucketRequest,
    redis::{error::CommandError, resp::reply::Reply},
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Peek,
    name: "RL.PEEK",
    script: script!("bucket.lua", "one.lua", "peek.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Gives the answer of a check and takes nothing.
pub(in crate::redis) struct Peek<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Peek<'_> {
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
