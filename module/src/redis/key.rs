//! A key that holds a bucket: a plain string of 25 bytes.

use std::ffi::{CStr, c_char, c_int, c_longlong};
use std::ptr::NonNull;

use redis_module::raw::{
    self, REDISMODULE_KEYTYPE_EMPTY, REDISMODULE_NOTIFY_GENERIC, REDISMODULE_NOTIFY_STRING,
    REDISMODULE_READ, REDISMODULE_WRITE, RedisModuleKey,
};
use rl_bucket::Bucket;

use super::{Arg, Call, api, audience};
use crate::error::Error;

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
    /// The bucket at `name` if there is one; changes nothing.
    #[inline]
    pub(crate) fn read(call: &'a Call<'a>, name: Arg<'a>) -> Result<Option<Bucket>, Error> {
        // A missing key cannot be opened to read.
        Self::open(call, name, READ).map_or(Ok(None), |key| key.bucket())
    }

    /// Opens `name` so that it can be read and stored. The server hears of a change only from
    /// [`store`](Self::store): opening alone wakes no WATCH and no client-side cache.
    #[inline]
    pub(crate) fn open_to_write(call: &'a Call<'a>, name: Arg<'a>) -> Result<Self, Error> {
        Self::open(call, name, READ_WRITE).ok_or(Error::Internal)
    }

    #[inline]
    fn open(call: &'a Call<'a>, name: Arg<'a>, mode: c_int) -> Option<Self> {
        // SAFETY: the context and the name live as long as the call.
        let raw = unsafe { api!(RedisModule_OpenKey(call.ctx, name.raw, mode)) };
        NonNull::new(raw).map(|raw| Self { call, name, raw })
    }

    /// The bucket the key holds, or `None` if it holds nothing; [`Error::WrongType`] for anything
    /// that is not a bucket, which is left exactly as it was.
    #[inline]
    pub(crate) fn bucket(&self) -> Result<Option<Bucket>, Error> {
        // The length first: asking for the bytes turns an embedded or integer string into a plain
        // one, and that is done to nobody's values but our own.
        // SAFETY: the key is open.
        let len = unsafe { api!(RedisModule_ValueLength(self.raw.as_ptr())) };
        if len != Bucket::LEN {
            return if len == 0 && self.is_missing() { Ok(None) } else { Err(Error::WrongType) };
        }
        let bytes = self.bytes(READ).ok_or(Error::WrongType)?;
        // SAFETY: `bytes` is the value's live buffer, and nothing changes it while we read.
        let bucket = Bucket::decode(unsafe { bytes.as_ref() });
        bucket.ok_or(Error::WrongType).map(Some)
    }

    /// Stores `bucket` where `stored` was, moves the key's expiry if it changed, and hands the effect
    /// to replicas and the AOF as an absolute `SET`, so that neither consults a clock.
    #[inline]
    pub(crate) fn store(&self, stored: Option<Bucket>, bucket: Bucket) -> Result<(), Error> {
        let value = bucket.encode();
        if stored.is_none() {
            // SAFETY: the key is open to write and holds nothing.
            unsafe { api!(RedisModule_StringTruncate(self.raw.as_ptr(), Bucket::LEN)) };
        }
        let mut bytes = self.bytes(READ_WRITE).ok_or(Error::Internal)?;
        // SAFETY: the value's buffer, ours alone since we asked for it to write.
        unsafe { bytes.as_mut() }.copy_from_slice(&value);

        let expires = bucket.expires_at_ms();
        let moved = stored.is_none_or(|stored| stored.expires_at_ms() != expires);
        if moved {
            self.expire_at(expires);
        }
        // SAFETY: the context and the name live as long as the call.
        unsafe { api!(RedisModule_SignalModifiedKey(self.call.ctx, self.name.raw)) };
        // The events of the SET that this is to everybody else.
        self.notify(REDISMODULE_NOTIFY_STRING, c"set");
        if moved {
            self.notify(REDISMODULE_NOTIFY_GENERIC, c"expire");
        }
        self.replicate(&value, expires);
        Ok(())
    }

    /// Hands the effect on, if anybody is there to take it.
    #[inline]
    fn replicate(&self, value: &[u8; Bucket::LEN], expires: i64) {
        if !audience::listens(self.call.ctx) {
            // What counts the change, for the next snapshot. Were somebody there all the same, they
            // would get the command itself: not the same to the microsecond, but nothing would be lost.
            // SAFETY: the context is live.
            unsafe { api!(RedisModule_ReplicateVerbatim(self.call.ctx)) };
            return;
        }
        // SAFETY: the format tells the arguments: a string, bytes with their length, a text, an
        // integer; the server copies them all.
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

    /// Deletes what the key holds, here and on replicas.
    pub(crate) fn delete(self) {
        // SAFETY: the key is open to write.
        unsafe { api!(RedisModule_DeleteKey(self.raw.as_ptr())) };
        // SAFETY: the context and the name live as long as the call.
        unsafe { api!(RedisModule_SignalModifiedKey(self.call.ctx, self.name.raw)) };
        self.notify(REDISMODULE_NOTIFY_GENERIC, c"del");
        let (command, format) = (c"DEL".as_ptr(), c"s".as_ptr());
        // SAFETY: the format tells the one argument, a string.
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
            // Redis 6.2 before 6.2.8: from now on, by the clock the server will add.
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
