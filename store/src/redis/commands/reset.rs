//! `RL.RESET key [key ...]`: deletes buckets, and only buckets.

use super::{Command, CommandKind, EqualNumbers, Spec, script};
use crate::redis::{
    engine::{Engine, ScriptForm},
    error::CommandError,
    resp::{encode::CommandBuf, reply::Reply},
};

pub(super) const SPEC: Spec = Spec {
    name: "RL.RESET",
    script: script!("bucket.lua", "reset.lua"),
    equal_numbers: EqualNumbers::Repeated,
};

/// Deletes buckets, and only buckets.
pub(in crate::redis) struct Reset<'a>(pub(in crate::redis) &'a [&'a [u8]]);

impl Command for Reset<'_> {
    type Output = u64;

    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf {
        let mut buf;
        match engine {
            Engine::Module => {
                buf = CommandBuf::command(1 + self.0.len());
                buf.arg(SPEC.name);
            }
            Engine::Lua(scripts) => {
                buf = CommandBuf::command(3 + self.0.len());
                scripts.encode(&mut buf, CommandKind::Reset, form, self.0.len());
            }
        }
        self.0.iter().for_each(|key| buf.arg(key));
        buf
    }

    /// Reads how many buckets there were.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.count()
    }
}
