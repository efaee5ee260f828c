//! `RL.REFUND key capacity rate n`: gives tokens back, up to the capacity.

use std::slice;

use rl_bucket::Decision;

use super::{Command, CommandKind, EqualNumbers, Spec, arguments, script};
use crate::{
    BucketRequest,
    redis::{
        engine::{Engine, ScriptForm},
        error::CommandError,
        resp::{encode::CommandBuf, reply::Reply},
    },
};

pub(super) const SPEC: Spec = Spec {
    name: "RL.REFUND",
    script: script!("bucket.lua", "one.lua", "refund.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Gives tokens back, up to the capacity.
pub(in crate::redis) struct Refund<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Refund<'_> {
    type Output = Decision;

    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf {
        arguments::encode(CommandKind::Refund, slice::from_ref(self.0), engine, form)
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
