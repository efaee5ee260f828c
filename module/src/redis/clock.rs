//! The only clock: the server's.

use std::time::{SystemTime, UNIX_EPOCH};

use redis_module::raw;
use rl_bucket::Micros;

/// The current time.
///
/// On Redis 7.2 and Valkey, the time that the server read when the command started: one moment for
/// a whole MULTI or script, without a system call. On older servers, the system clock, read again.
#[inline]
pub(super) fn now() -> Micros {
    // SAFETY: the pointer is written once, by loading, before any command can run.
    let cached = unsafe { raw::RedisModule_CachedMicroseconds };
    let micros = match cached {
        // SAFETY: the function takes nothing and reads a global of the server's main thread.
        Some(cached) => u64::try_from(unsafe { cached() }).unwrap_or(0),
        None => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX)),
    };
    Micros::new(micros)
}
