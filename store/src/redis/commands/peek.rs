//! `RL.PEEK key capacity rate cost`: gives the answer of a check and takes nothing.

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
    name: "RL.PEEK",
    script: script!("bucket.lua", "one.lua", "peek.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Gives the answer of a check and takes nothing.
pub(in crate::redis) struct Peek<'a>(pub(in crate::redis) &'a BucketRequest<'a>);

impl Command for Peek<'_> {
    type Output = Decision;

    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf {
        arguments::encode(CommandKind::Peek, slice::from_ref(self.0), engine, form)
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
