//! `RL.CHARGE key capacity rate n`: takes tokens, down to a debt of one capacity.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandKind, CommandSpec, EqualNumbers, script};
use crate::{
    BucketRequest,
    redis::{error::CommandError, resp::reply::Reply},
};

pub(super) const SPEC: CommandSpec = CommandSpec {
    kind: CommandKind::Charge,
    name: "RL.CHARGE",
    script: script!("bucket.lua", "one.lua", "charge.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Takes tokens, down to a debt of one capacity.
pub(in crate::redis) struct Charge<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Charge<'_> {
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
