//! One running command: its arguments and its reply.

use std::ffi::{c_char, c_longlong};
use std::marker::PhantomData;
use std::slice;

use redis_module::raw::{RedisModuleCtx, RedisModuleString};
use rl_bucket::Micros;

use super::{api, clock};
use crate::error::CommandError;
use crate::stats;

/// A command that the server waits for. It lives no longer than the handler.
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

// === impl Call ===

impl<'a> Call<'a> {
    /// A call with these arguments, the command's name among them.
    ///
    /// # Safety
    /// `ctx` is live for the length of the call.
    #[inline]
    pub(super) unsafe fn new(ctx: *mut RedisModuleCtx, args: &'a [Arg<'a>]) -> Self {
        Self { ctx, args: args.get(1..).unwrap_or_default() }
    }

    /// The arguments after the command's name.
    #[inline]
    pub(crate) fn args(&self) -> &'a [Arg<'a>] {
        self.args
    }

    /// The time of the server's clock: one moment for the whole command.
    #[inline]
    pub(crate) fn now(&self) -> Micros {
        clock::now()
    }

    /// Replies with an array of integers.
    #[inline]
    pub(crate) fn reply_integers<const N: usize>(&self, integers: [i64; N]) {
        self.reply_array(N);
        for integer in integers {
            self.reply_integer(integer);
        }
    }

    /// Starts an array: `len` replies must follow.
    #[inline]
    pub(crate) fn reply_array(&self, len: usize) {
        // SAFETY: `ctx` is live.
        unsafe { api!(RedisModule_ReplyWithArray(self.ctx, len as _)) };
    }

    /// Replies with an integer.
    #[inline]
    pub(crate) fn reply_integer(&self, integer: i64) {
        // SAFETY: `ctx` is live.
        unsafe { api!(RedisModule_ReplyWithLongLong(self.ctx, integer as c_longlong)) };
    }

    #[cold]
    pub(super) fn reply_error(&self, error: CommandError) {
        stats::count_error(error);
        if error == CommandError::Arity {
            // The text of the server itself, which names the command.
            // SAFETY: `ctx` is live.
            unsafe { api!(RedisModule_WrongArity(self.ctx)) };
            return;
        }
        // The API takes a NUL-terminated text; ours are constant and much shorter than 256 bytes.
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
