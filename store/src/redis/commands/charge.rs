//! `RL.CHARGE key capacity rate n`: takes tokens, down to a debt of one capacity.

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
    name: "RL.CHARGE",
    script: script!("bucket.lua", "one.lua", "charge.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Takes tokens, down to a debt of one capacity.
pub(in crate::redis) struct Charge<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Charge<'_> {
    type Output = Decision;

    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf {
        arguments::encode(CommandKind::Charge, slice::from_ref(self.0), engine, form)
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
