//! The commands: for each its name in the module, its script, and the reading of its reply.
//!
//! A new command is a file here and one of the same name in `module/src/commands/`, a script in
//! `store/lua/`, and a line in [`CommandKind`].

mod arguments;
mod charge;
mod check;
mod checkall;
mod mcheck;
mod peek;
mod refund;
mod reset;
mod take;

pub(super) use self::{
    charge::Charge, check::Check, checkall::CheckAll, mcheck::MCheck, peek::Peek, refund::Refund,
    reset::Reset, take::Take,
};
use super::{
    engine::{Engine, ScriptForm},
    error::CommandError,
    resp::{encode::CommandBuf, reply::Reply},
};

/// One call of a command: how it is sent to either engine, and how its reply is read.
pub(super) trait Command {
    /// The answer in the reply.
    type Output;

    /// Encodes the module's command, or its script in this form.
    fn encode(&self, engine: &Engine, form: ScriptForm) -> CommandBuf;

    /// Reads the reply.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError>;
}

/// A command of the module. Each has a script that gives the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Takes tokens if there are enough.
    Check,
    /// Gives the answer of a check and takes nothing.
    Peek,
    /// Makes independent checks.
    MCheck,
    /// Takes from every bucket or from none.
    CheckAll,
    /// Takes as many whole tokens as there are.
    Take,
    /// Gives tokens back.
    Refund,
    /// Takes tokens, down to a debt.
    Charge,
    /// Deletes buckets.
    Reset,
}

/// The name and the script of a command.
struct Spec {
    /// The name in the module.
    name: &'static str,
    /// The script: its KEYS are the buckets, its ARGV capacity, tokens a second and amount of each.
    script: &'static str,
    /// How often the script takes numbers that are equal for all buckets.
    equal_numbers: EqualNumbers,
}

/// How often a script takes numbers that are equal for all its buckets.
#[derive(Clone, Copy, PartialEq)]
enum EqualNumbers {
    /// Once for all.
    Once,
    /// Once for each.
    Repeated,
}

/// Files of `store/lua`, joined.
macro_rules! script {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("../../../lua/", $file))),+)
    };
}
use script;

// === impl CommandKind ===

impl CommandKind {
    /// Every command, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Check,
        Self::Peek,
        Self::MCheck,
        Self::CheckAll,
        Self::Take,
        Self::Refund,
        Self::Charge,
        Self::Reset,
    ];

    const fn spec(self) -> &'static Spec {
        match self {
            Self::Check => &check::SPEC,
            Self::Peek => &peek::SPEC,
            Self::MCheck => &mcheck::SPEC,
            Self::CheckAll => &checkall::SPEC,
            Self::Take => &take::SPEC,
            Self::Refund => &refund::SPEC,
            Self::Charge => &charge::SPEC,
            Self::Reset => &reset::SPEC,
        }
    }

    /// The name in the module.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The script that gives the same answers. Its KEYS are the buckets, its ARGV capacity, tokens a
    /// second and amount of each; for `RL.CHECK` and `RL.MCHECK` also once for all.
    pub const fn script(self) -> &'static str {
        self.spec().script
    }
}

#[cfg(test)]
mod tests;
