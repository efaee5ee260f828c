//! The server: a small safe face over the module API, and all of this crate's `unsafe`.
//!
//! The crate's own conveniences (an argument vector, retained strings, checked replies) cost about as
//! much as a check itself and panic on odd bytes, so the hot path calls the API's function pointers.

#![allow(unsafe_code)]

mod audience;
mod call;
mod clock;
mod describe;
mod info;
mod key;
mod load;
mod register;

pub(crate) use call::{Arg, Call};
pub(crate) use describe::{Access, Argument, Command, Description, Keys};
pub(crate) use key::Key;
pub(crate) use register::{RegisterError, Registrar};

/// Calls a function of the module API by name.
///
/// # Safety
/// That of the function. The pointer itself is there: `load` names every one that is used so,
/// and loading fails if the server lacks one.
macro_rules! api {
    ($name:ident ( $($arg:expr),* $(,)? )) => {
        redis_module::raw::$name.unwrap_unchecked()($($arg),*)
    };
}
use api;
