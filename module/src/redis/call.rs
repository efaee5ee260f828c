//! One running command: its arguments and its reply.

use std::ffi::{c_char, c_int, c_longlong};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use redis_module::raw::{RedisModuleCtx, RedisModuleString, Status};
use rl_bucket::Micros;

use super::{Command, api, clock};
use crate::error::Error;
use crate::stats;

/// A command the server is waiting for; it lives no longer than the handler.
pub(crate) struct Call<'a> {
    pub(super) ctx: *mut RedisModuleCtx,
    args: &'a [Arg<'a>],
}

/// One argument: bytes that the server owns while the handler runs.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Arg<'a> {
    pub(super) raw: *mut RedisModuleString,
    life: PhantomData<&'a [u8]>,
}

/// The entry point that the server calls for `C`.
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
    let call = Call { ctx, args: argv.get(1..).unwrap_or_default() };
    let outcome = catch_unwind(AssertUnwindSafe(|| C::run(&call)));
    if let Err(error) = outcome.unwrap_or(Err(Error::Internal)) {
        call.reply_error(error);
    }
    Status::Ok as c_int
}

// === impl Call ===

impl<'a> Call<'a> {
    /// The arguments after the command's name.
    #[inline]
    pub(crate) fn args(&self) -> &'a [Arg<'a>] {
        self.args
    }

    /// The server's clock, one moment for the whole command.
    #[inline]
    pub(crate) fn now(&self) -> Micros {
        clock::now()
    }

    /// Replies an array of integers.
    #[inline]
    pub(crate) fn reply_integers<const N: usize>(&self, integers: [i64; N]) {
        self.reply_array(N);
        for integer in integers {
            self.reply_integer(integer);
        }
    }

    /// Begins an array: that many replies must follow.
    #[inline]
    pub(crate) fn reply_array(&self, len: usize) {
        // SAFETY: `ctx` is live.
        unsafe { api!(RedisModule_ReplyWithArray(self.ctx, len as _)) };
    }

    #[inline]
    pub(crate) fn reply_integer(&self, integer: i64) {
        // SAFETY: `ctx` is live.
        unsafe { api!(RedisModule_ReplyWithLongLong(self.ctx, integer as c_longlong)) };
    }

    #[cold]
    fn reply_error(&self, error: Error) {
        stats::count_error(error);
        if error == Error::Arity {
            // The server's own text, which names the command.
            // SAFETY: `ctx` is live.
            unsafe { api!(RedisModule_WrongArity(self.ctx)) };
            return;
        }
        // The API wants a NUL-terminated text; ours are constant and far shorter than this.
        let (code, text) = error.parts();
        let mut line = [0u8; 256];
        let bytes = [code.as_bytes(), b" ", text.as_bytes()];
        for (slot, byte) in line.iter_mut().take(255).zip(bytes.into_iter().flatten()) {
            *slot = *byte;
        }
        // SAFETY: `ctx` is live; the last byte of `line` is NUL; the server copies the text.
        unsafe { api!(RedisModule_ReplyWithError(self.ctx, line.as_ptr().cast::<c_char>())) };
    }
}

// === impl Arg ===

impl<'a> Arg<'a> {
    /// The argument's bytes.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: the string lives as long as the call, and nothing changes it meanwhile.
        let ptr = unsafe { api!(RedisModule_StringPtrLen(self.raw, &raw mut len)) };
        // SAFETY: the API returned `len` bytes at `ptr`, never null for a live string.
        unsafe { slice::from_raw_parts(ptr.cast::<u8>(), len) }
    }
}
