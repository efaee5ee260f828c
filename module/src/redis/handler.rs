//! Commands, and the entry points by which the server calls them.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use redis_module::raw::{RedisModuleCtx, RedisModuleString, Status};

use super::call::{Arg, Call};
use super::describe::Description;
use crate::error::CommandError;

/// A command and its handler.
pub(crate) trait Command {
    /// The description that the server gets when the module loads.
    const DESCRIPTION: Description;

    /// Runs the command and replies, unless it fails.
    fn run(call: &Call<'_>) -> Result<(), CommandError>;
}

/// The entry point of `C`, which the server calls.
///
/// # Safety
/// Called by the server as a module command: `ctx` is live and `argv` holds `argc` live strings for
/// the length of the call.
pub(super) unsafe extern "C" fn handle<C: Command>(
    ctx: *mut RedisModuleCtx,
    argv: *mut *mut RedisModuleString,
    argc: c_int,
) -> c_int {
    let argc = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller's contract; `Arg` is transparent over the pointer.
    let argv = unsafe { slice::from_raw_parts(argv.cast::<Arg<'_>>(), argc) };
    // SAFETY: the caller's contract.
    let call = unsafe { Call::new(ctx, argv) };
    let outcome = catch_unwind(AssertUnwindSafe(|| C::run(&call)));
    if let Err(error) = outcome.unwrap_or(Err(CommandError::Internal)) {
        call.reply_error(error);
    }
    Status::Ok as c_int
}
