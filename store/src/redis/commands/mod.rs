//! The commands: for each its name in the module, its script, its arguments, and the reading of its
//! reply.
//!
//! A new command is a file here and one of the same name in `module/src/commands/`, a script in
//! `store/lua/`, and a line in [`COMMANDS`].

mod charge;
mod check;
mod checkall;
mod mcheck;
mod peek;
mod refund;
mod reset;
mod single;
mod spec;
mod take;

pub(super) use self::spec::{Answer, Arguments, Command, NumbersSent};
pub use self::spec::{CommandKind, CommandSpec};
pub(super) use self::{
    charge::charge, check::check, checkall::CheckAll, mcheck::MCheck, peek::peek, refund::refund,
    reset::Reset, take::Take,
};

/// Every command, in the order of [`CommandKind`].
pub const COMMANDS: [&CommandSpec; 8] = [
    &check::SPEC,
    &peek::SPEC,
    &mcheck::SPEC,
    &checkall::SPEC,
    &take::SPEC,
    &refund::SPEC,
    &charge::SPEC,
    &reset::SPEC,
];

#[cfg(test)]
mod tests;
