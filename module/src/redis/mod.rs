//! The server: a small safe interface to the module API, and all of this crate's `unsafe`.
//!
//! The conveniences of `redis_module` (an argument vector, retained strings, checked replies) cost
//! about as much as a check and panic on odd bytes, so the hot path calls the API's function
//! pointers.

#![allow(unsafe_code)]

mod call;
mod clock;
mod describe;
mod handler;
mod info;
mod key;
mod load;
mod register;
mod replication;
mod unload;

pub(crate) use call::{Arg, Call};
pub(crate) use describe::{Access, Argument, Description, Keys};
pub(crate) use handler::Command;
pub(crate) use key::Key;
pub(crate) use register::{RegisterError, Registrar};

/// Calls a function of the module API by name.
///
/// # Safety
/// The contract of the function. The pointer is never null: `load` lists every function that is
/// called this way, and loading fails if the server lacks one.
macro_rules! api {
    ($name:ident ( $($arg:expr),* $(,)? )) => {
        redis_module::raw::$name.unwrap_unchecked()($($arg),*)
    };
}
use api;
