//! `RL.CHECK key capacity rate cost`: takes the cost if the bucket holds it.

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
    name: "RL.CHECK",
    script: script!("checks.lua", "check.lua"),
    equal_numbers: EqualNumbers::Once,
};

/// Takes the cost if the bucket holds it.
pub(in crate::redis) struct Check<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Check<'_> {
    type Output = Decision;

    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf {
        arguments::encode(CommandKind::Check, slice::from_ref(self.0), engine, form)
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
