//! A key that holds a bucket: a plain string of 25 bytes.

use std::ffi::{CStr, c_char, c_int, c_longlong};
use std::ptr::NonNull;

use redis_module::raw::{
    self, REDISMODULE_KEYTYPE_EMPTY, REDISMODULE_NOTIFY_GENERIC, REDISMODULE_NOTIFY_STRING,
    REDISMODULE_READ, REDISMODULE_WRITE, RedisModuleKey,
};
use rl_bucket::Bucket;

use super::{Arg, Call, api, replication};
use crate::error::CommandError;

/// An open key; closed when dropped.
pub(crate) struct Key<'a> {
    call: &'a Call<'a>,
    name: Arg<'a>,
    raw: NonNull<RedisModuleKey>,
}

const READ: c_int = REDISMODULE_READ.cast_signed();
const READ_WRITE: c_int = (REDISMODULE_READ | REDISMODULE_WRITE).cast_signed();

// === impl Key ===

impl<'a> Key<'a> {
    /// The bucket at `name`, if there is one. Changes nothing.
    #[inline]
    pub(crate) fn read(call: &'a Call<'a>, name: Arg<'a>) -> Result<Option<Bucket>, CommandError> {
        // A missing key cannot be opened for reading.
        Self::open(call, name, READ).map_or(Ok(None), |key| key.bucket())
    }

    /// Opens `name` to read and store. Only [`store`](Self::store) and [`delete`](Self::delete)
    /// signal a change: opening alone does not touch WATCH or client-side caches.
    #[inline]
    pub(crate) fn open_to_write(call: &'a Call<'a>, name: Arg<'a>) -> Result<Self, CommandError> {
        Self::open(call, name, READ_WRITE).ok_or(CommandError::Internal)
    }

    #[inline]
    fn open(call: &'a Call<'a>, name: Arg<'a>, mode: c_int) -> Option<Self> {
        // SAFETY: the context and the name live as long as the call.
        let raw = unsafe { api!(RedisModule_OpenKey(call.ctx, name.raw, mode)) };
        NonNull::new(raw).map(|raw| Self { call, name, raw })
    }

    /// The bucket that the key holds, or `None` if the key is missing; [`CommandError::WrongType`]
    /// if it holds anything else, which is left exactly as it is.
    #[inline]
    pub(crate) fn bucket(&self) -> Result<Option<Bucket>, CommandError> {
        // The length comes first: access to the bytes turns an embedded or integer string into a
        // plain one, and foreign values are left alone.
        // SAFETY: the key is open.
        let len = unsafe { api!(RedisModule_ValueLength(self.raw.as_ptr())) };
        if len != Bucket::LEN {
            return if len == 0 && self.is_missing() {
                Ok(None)
            } else {
                Err(CommandError::WrongType)
            };
        }
        let bytes = self.bytes(READ).ok_or(CommandError::WrongType)?;
        // SAFETY: `bytes` is the value's live buffer, and nothing changes it while we read.
        let bucket = Bucket::decode(unsafe { bytes.as_ref() });
        bucket.ok_or(CommandError::WrongType).map(Some)
    }

    /// Replaces `stored` by `bucket`, moves the key's expiry if it changed, and replicates the
    /// effect as an absolute `SET`, so that neither replicas nor the AOF consult a clock.
    #[inline]
    pub(crate) fn store(&self, stored: Option<Bucket>, bucket: Bucket) -> Result<(), CommandError> {
        let value = bucket.encode();
        if stored.is_none() {
            // SAFETY: the key is open to write and holds nothing.
            unsafe { api!(RedisModule_StringTruncate(self.raw.as_ptr(), Bucket::LEN)) };
        }
        let mut bytes = self.bytes(READ_WRITE).ok_or(CommandError::Internal)?;
        // SAFETY: the value's buffer, ours alone since it was requested for writing.
        unsafe { bytes.as_mut() }.copy_from_slice(&value);

        let expires = bucket.expires_at_ms();
        let moved = stored.is_none_or(|stored| stored.expires_at_ms() != expires);
        if moved {
            self.expire_at(expires);
        }
        // SAFETY: the context and the name live as long as the call.
        unsafe { api!(RedisModule_SignalModifiedKey(self.call.ctx, self.name.raw)) };
        // The events of the `SET` that clients see.
        self.notify(REDISMODULE_NOTIFY_STRING, c"set");
        if moved {
            self.notify(REDISMODULE_NOTIFY_GENERIC, c"expire");
        }
        self.replicate(&value, expires);
        Ok(())
    }

    /// Hands the effect to its consumers, if there are any.
    #[inline]
    fn replicate(&self, value: &[u8; Bucket::LEN], expires: i64) {
        if !replication::has_consumers(self.call.ctx) {
            // Counts the change, for the next snapshot. If there were a consumer after all, it
            // would get the command itself: off by microseconds, but nothing would be lost.
            // SAFETY: the context is live.
            unsafe { api!(RedisModule_ReplicateVerbatim(self.call.ctx)) };
            return;
        }
        // SAFETY: the arguments are those of the format: a string, bytes with their length, a text
        // and an integer; the server copies them all.
        unsafe {
            api!(RedisModule_Replicate(
                self.call.ctx,
                c"SET".as_ptr(),
                c"sbcl".as_ptr(),
                self.name.raw,
                value.as_ptr().cast::<c_char>(),
                value.len(),
                c"PXAT".as_ptr(),
                expires as c_longlong,
            ))
        };
    }

    /// Deletes the key, here and on replicas.
    pub(crate) fn delete(self) {
        // SAFETY: the key is open to write.
        unsafe { api!(RedisModule_DeleteKey(self.raw.as_ptr())) };
        // SAFETY: the context and the name live as long as the call.
        unsafe { api!(RedisModule_SignalModifiedKey(self.call.ctx, self.name.raw)) };
        self.notify(REDISMODULE_NOTIFY_GENERIC, c"del");
        let (command, format) = (c"DEL".as_ptr(), c"s".as_ptr());
        // SAFETY: the argument is that of the format, a string.
        unsafe { api!(RedisModule_Replicate(self.call.ctx, command, format, self.name.raw)) };
    }

    #[inline]
    fn notify(&self, class: c_int, event: &CStr) {
        let (ctx, name) = (self.call.ctx, self.name.raw);
        // SAFETY: the context and the name live as long as the call.
        unsafe { api!(RedisModule_NotifyKeyspaceEvent(ctx, class, event.as_ptr(), name)) };
    }

    #[inline]
    fn expire_at(&self, ms: i64) {
        // SAFETY: read on the main thread, after loading wrote it.
        match unsafe { raw::RedisModule_SetAbsExpire } {
            // SAFETY: the key is open to write and holds a value.
            Some(set) => unsafe { set(self.raw.as_ptr(), ms) },
            // Redis before 6.2.8: a wait, to which the server adds the time of its clock.
            None => {
                // SAFETY: the function takes nothing.
                let now = unsafe { api!(RedisModule_Milliseconds()) };
                let wait = ms.saturating_sub(now).max(1);
                // SAFETY: the key is open to write and holds a value.
                unsafe { api!(RedisModule_SetExpire(self.raw.as_ptr(), wait)) }
            }
        };
    }

    /// The value's buffer, if it is a string of a bucket's length.
    #[inline]
    fn bytes(&self, mode: c_int) -> Option<NonNull<[u8]>> {
        let mut len = 0;
        // SAFETY: the key is open in a mode that includes `mode`.
        let ptr = unsafe { api!(RedisModule_StringDMA(self.raw.as_ptr(), &raw mut len, mode)) };
        let ptr = NonNull::new(ptr.cast::<u8>())?;
        (len == Bucket::LEN).then(|| NonNull::slice_from_raw_parts(ptr, len))
    }

    #[inline]
    fn is_missing(&self) -> bool {
        // SAFETY: the key is open.
        let kind = unsafe { api!(RedisModule_KeyType(self.raw.as_ptr())) };
        kind as isize == REDISMODULE_KEYTYPE_EMPTY
    }
}

impl Drop for Key<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { api!(RedisModule_CloseKey(self.raw.as_ptr())) };
    }
}
