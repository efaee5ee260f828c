//! Whether effects have a consumer: a replica, its backlog or an append-only file.
//!
//! Building the arguments of an effect costs the server as much as all the rest of a check, and
//! without a consumer it throws them away. The server does not report its consumers, but a new one
//! can only appear after one of a few server events: a replica starts from a snapshot and an
//! append-only file from a rewrite, and the server forks for both; or the server restarts, loads or
//! changes its role. So the answer holds until the next such event.
//!
//! In a cluster, a slot that moves away is also a consumer, and no event announces it: there,
//! effects are always made.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent, Status};

use super::api;

/// The last answer. Only the main thread reads and writes it.
static CONSUMERS: AtomicU8 = AtomicU8::new(UNKNOWN);

const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SOME: u8 = 2;
/// The server does not send the events, so consumers are assumed for good.
const ASSUMED: u8 = 3;

/// The events that a new consumer cannot appear without, each with the version of its data.
const EVENTS: [(u64, u64); 5] = [
    (raw::REDISMODULE_EVENT_FORK_CHILD, 1),
    (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, 1),
    (raw::REDISMODULE_EVENT_REPLICA_CHANGE, 1),
    (raw::REDISMODULE_EVENT_LOADING, 1),
    (raw::REDISMODULE_EVENT_PERSISTENCE, 1),
];

/// Subscribes to the events.
pub(super) fn register(ctx: *mut RedisModuleCtx) {
    // SAFETY: read on the main thread, after loading wrote it.
    let subscribe = unsafe { raw::RedisModule_SubscribeToServerEvent };
    let is_subscribed = subscribe.is_some_and(|subscribe| {
        EVENTS.iter().all(|&(id, dataver)| {
            // SAFETY: the context is live while the module loads.
            let status = unsafe { subscribe(ctx, RedisModuleEvent { id, dataver }, Some(forget)) };
            status == Status::Ok as c_int
        })
    });
    if !is_subscribed {
        CONSUMERS.store(ASSUMED, Ordering::Relaxed);
    }
}

/// Whether an effect made now has a consumer.
#[inline]
pub(super) fn has_consumers(ctx: *mut RedisModuleCtx) -> bool {
    match CONSUMERS.load(Ordering::Relaxed) {
        UNKNOWN => find_consumers(ctx),
        consumers => consumers != NONE,
    }
}

/// Forgets the last answer.
///
/// # Safety
/// Called by the server, on its main thread.
unsafe extern "C" fn forget(
    _ctx: *mut RedisModuleCtx,
    _event: RedisModuleEvent,
    _subevent: u64,
    _data: *mut c_void,
) {
    if CONSUMERS.load(Ordering::Relaxed) != ASSUMED {
        CONSUMERS.store(UNKNOWN, Ordering::Relaxed);
    }
}

#[cold]
fn find_consumers(ctx: *mut RedisModuleCtx) -> bool {
    // SAFETY: the context is live.
    let flags = unsafe { api!(RedisModule_GetContextFlags(ctx)) }.cast_unsigned();
    let found = flags & raw::REDISMODULE_CTX_FLAGS_MASTER == 0
        || flags & (raw::REDISMODULE_CTX_FLAGS_AOF | raw::REDISMODULE_CTX_FLAGS_CLUSTER) != 0
        || may_have_replicas(ctx);
    CONSUMERS.store(if found { SOME } else { NONE }, Ordering::Relaxed);
    found
}

/// Whether the server has replicas, or a backlog for one that comes back, or does not say.
fn may_have_replicas(ctx: *mut RedisModuleCtx) -> bool {
    // SAFETY: the context is live and the text constant.
    let info = unsafe { api!(RedisModule_GetServerInfo(ctx, c"replication".as_ptr())) };
    let found = [c"connected_slaves", c"repl_backlog_active"].into_iter().any(|field| {
        let mut error = 0;
        // SAFETY: `info` was just made, and is freed below; the text is constant.
        let count = unsafe {
            api!(RedisModule_ServerInfoGetFieldUnsigned(info, field.as_ptr(), &raw mut error))
        };
        error != 0 || count != 0
    });
    // SAFETY: made above, and freed once.
    unsafe { api!(RedisModule_FreeServerInfo(ctx, info)) };
    found
}
