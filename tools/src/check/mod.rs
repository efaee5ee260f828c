//! `rl-server check` and `peek`.

mod command;
mod display;
mod response;

pub(crate) use self::command::CheckArgs;
