//! Whether anybody hears of effects: a replica, its backlog, an append-only file.
//!
//! Making the arguments of an effect costs the server as much as all else that a check does, and
//! without an audience they are thrown away. The server does not say who listens, but nobody begins to
//! without it passing one of a few turns: a replica starts from a snapshot, and an append-only file
//! from a rewrite, for both of which it forks; or it restarts, loads, or changes its role. So what was
//! learnt stays true until the next such turn, and is then asked again.
//!
//! In a cluster a slot that moves away has an audience too, of which the server does not tell:
//! there effects are always made.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering};

use redis_module::raw::{self, RedisModuleCtx, RedisModuleEvent, Status};

use super::api;

/// What is known; written and read on the main thread alone.
static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);

const UNKNOWN: u8 = 0;
const NOBODY: u8 = 1;
const SOMEBODY: u8 = 2;
/// The server does not tell of its turns: never asked again.
const ALWAYS: u8 = 3;

/// The turns, each with the version of its data.
const TURNS: [(u64, u64); 5] = [
    (raw::REDISMODULE_EVENT_FORK_CHILD, 1),
    (raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED, 1),
    (raw::REDISMODULE_EVENT_REPLICA_CHANGE, 1),
    (raw::REDISMODULE_EVENT_LOADING, 1),
    (raw::REDISMODULE_EVENT_PERSISTENCE, 1),
];

/// Has the server tell of its turns from now on.
pub(super) fn register(ctx: *mut RedisModuleCtx) {
    // SAFETY: read on the main thread, after loading wrote it.
    let subscribe = unsafe { raw::RedisModule_SubscribeToServerEvent };
    let told = subscribe.is_some_and(|subscribe| {
        TURNS.iter().all(|&(id, dataver)| {
            // SAFETY: the context is live while the module loads.
            let status = unsafe { subscribe(ctx, RedisModuleEvent { id, dataver }, Some(turn)) };
            status == Status::Ok as c_int
        })
    });
    if !told {
        KNOWN.store(ALWAYS, Ordering::Relaxed);
    }
}

/// Whether an effect of this moment is heard by anybody.
#[inline]
pub(super) fn listens(ctx: *mut RedisModuleCtx) -> bool {
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => ask(ctx),
        known => known != NOBODY,
    }
}

/// # Safety
/// Called by the server, on its main thread.
unsafe extern "C" fn turn(
    _ctx: *mut RedisModuleCtx,
    _event: RedisModuleEvent,
    _subevent: u64,
    _data: *mut c_void,
) {
    if KNOWN.load(Ordering::Relaxed) != ALWAYS {
        KNOWN.store(UNKNOWN, Ordering::Relaxed);
    }
}

#[cold]
fn ask(ctx: *mut RedisModuleCtx) -> bool {
    // SAFETY: the context is live.
    let flags = unsafe { api!(RedisModule_GetContextFlags(ctx)) }.cast_unsigned();
    let alone = flags & raw::REDISMODULE_CTX_FLAGS_MASTER != 0
        && flags & (raw::REDISMODULE_CTX_FLAGS_AOF | raw::REDISMODULE_CTX_FLAGS_CLUSTER) == 0
        && nobody_follows(ctx);
    KNOWN.store(if alone { NOBODY } else { SOMEBODY }, Ordering::Relaxed);
    !alone
}

/// Whether the server says that it has neither replicas nor a backlog for one that comes back.
fn nobody_follows(ctx: *mut RedisModuleCtx) -> bool {
    // SAFETY: the context is live and the text constant.
    let info = unsafe { api!(RedisModule_GetServerInfo(ctx, c"replication".as_ptr())) };
    let none = [c"connected_slaves", c"repl_backlog_active"].into_iter().all(|field| {
        let mut error = 0;
        // SAFETY: `info` was just made, and is freed below; the text is constant.
        let count = unsafe {
            api!(RedisModule_ServerInfoGetFieldUnsigned(info, field.as_ptr(), &raw mut error))
        };
        error == 0 && count == 0
    });
    // SAFETY: made above, and freed once.
    unsafe { api!(RedisModule_FreeServerInfo(ctx, info)) };
    none
}
