//! The programs that compute a bucket inside Redis: the module's commands, or the Lua scripts.
//!
//! Both take the same steps on the same state, so fronts may use either side by side.

mod numbers;
mod probe;
mod scripts;

use self::numbers::EncodedNumbers;
pub(super) use self::{
    probe::{PROBE_KEY, WritePath},
    scripts::{ScriptForm, Scripts},
};
use super::{
    commands::{Arguments, Command, CommandSpec, NumbersSent},
    resp::encode::CommandBuf,
};
use crate::{BucketRequest, EngineKind};

/// The engine behind one connection.
#[derive(Debug)]
pub(super) enum Engine {
    /// `RL.CHECK` and its family.
    Module,
    /// `EVALSHA` of the scripts.
    Lua(Scripts),
}

/// The engines that may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The module if the server has it, else Lua.
    #[default]
    Auto,
    /// The Redis module only.
    Module,
    /// The Lua scripts only.
    Lua,
}

// === impl Engine ===

impl Engine {
    /// The kind to report.
    pub(super) fn kind(&self) -> EngineKind {
        match self {
            Self::Module => EngineKind::Module,
            Self::Lua(_) => EngineKind::Lua,
        }
    }

    /// Encodes a call: the module's command, or its script in this form.
    pub(super) fn encode(&self, command: &impl Command, form: ScriptForm) -> CommandBuf {
        match command.arguments() {
            Arguments::Buckets(requests) => self.encode_buckets(command.spec(), requests, form),
            Arguments::Keys(keys) => self.encode_keys(command.spec(), keys, form),
        }
    }

    fn encode_buckets(
        &self,
        spec: &CommandSpec,
        requests: &[BucketRequest<'_>],
        form: ScriptForm,
    ) -> CommandBuf {
        match self {
            Self::Module => {
                let mut buf = CommandBuf::command(1 + 4 * requests.len());
                buf.arg(spec.name);
                let mut numbers = EncodedNumbers::default();
                for request in requests {
                    buf.arg(request.key);
                    numbers.encode(&mut buf, request, |buf, limit| {
                        buf.number(limit.capacity());
                        buf.number(limit.rate());
                    });
                }
                buf
            }
            Self::Lua(scripts) => {
                let once = spec.equal_numbers == NumbersSent::Once && numbers::are_equal(requests);
                let with_numbers = if once { &requests[..1] } else { requests };
                let mut buf = CommandBuf::command(3 + requests.len() + 3 * with_numbers.len());
                scripts.encode(&mut buf, spec, form, requests.len());
                requests.iter().for_each(|request| buf.arg(request.key));
                let mut numbers = EncodedNumbers::default();
                for request in with_numbers {
                    numbers.encode(&mut buf, request, |buf, limit| {
                        buf.number(limit.capacity());
                        // The shortest text that reads back as the same double: Lua computes with
                        // it.
                        buf.number(limit.rate().per_second());
                    });
                }
                buf
            }
        }
    }

    fn encode_keys(&self, spec: &CommandSpec, keys: &[&[u8]], form: ScriptForm) -> CommandBuf {
        let mut buf;
        match self {
            Self::Module => {
                buf = CommandBuf::command(1 + keys.len());
                buf.arg(spec.name);
            }
            Self::Lua(scripts) => {
                buf = CommandBuf::command(3 + keys.len());
                scripts.encode(&mut buf, spec, form, keys.len());
            }
        }
        keys.iter().for_each(|key| buf.arg(key));
        buf
    }
}
