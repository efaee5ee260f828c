//! Loading: what the module needs of the server, and how it introduces itself.

use std::ffi::c_int;

use redis_module::alloc::RedisAlloc;
use redis_module::raw::{self, RedisModuleCtx};
use redis_module::{Context, RedisString, Status, redis_module};

use super::{Registrar, audience, info};
use crate::commands;

/// Major, minor and patch as one number, two digits each: what `MODULE LIST` shows.
const VERSION: c_int = 100;

/// Valkey 9 refuses to migrate slots while a module is loaded that does not say it can bear it. Our
/// values are plain strings, so nothing here could mind. The crate does not know the bit yet.
const HANDLE_ATOMIC_SLOT_MIGRATION: c_int = 1 << 5;

fn init(context: &Context, _args: &Vec<RedisString>) -> Status {
    let ctx = context.ctx.cast::<RedisModuleCtx>();
    if !has_required_api() {
        context.log_warning("this server is too old: rl needs Redis 6.2 or Valkey 7.2");
        return Status::Err;
    }
    let options = raw::ModuleOptions::HANDLE_IO_ERRORS
        | raw::ModuleOptions::NO_IMPLICIT_SIGNAL_MODIFIED
        | raw::ModuleOptions::HANDLE_REPL_ASYNC_LOAD;
    let options = options.bits() | HANDLE_ATOMIC_SLOT_MIGRATION;
    // SAFETY: the context is live, and the pointer was just found to be there.
    unsafe { super::api!(RedisModule_SetModuleOptions(ctx, options)) };
    info::register(ctx);
    audience::register(ctx);
    match commands::register(&Registrar::new(ctx)) {
        Ok(()) => Status::Ok,
        Err(error) => {
            context.log_warning(error.text());
            Status::Err
        }
    }
}

/// Whether the server has every function that `api!` is used with.
fn has_required_api() -> bool {
    macro_rules! all {
        ($($name:ident),* $(,)?) => {
            // SAFETY: read on the main thread, after the one moment at which they are written.
            $( unsafe { { raw::$name }.is_some() } )&&*
        };
    }
    all!(
        RedisModule_CloseKey,
        RedisModule_CreateCommand,
        RedisModule_DeleteKey,
        RedisModule_FreeServerInfo,
        RedisModule_GetContextFlags,
        RedisModule_GetServerInfo,
        RedisModule_KeyType,
        RedisModule_Milliseconds,
        RedisModule_NotifyKeyspaceEvent,
        RedisModule_OpenKey,
        RedisModule_Replicate,
        RedisModule_ReplicateVerbatim,
        RedisModule_ReplyWithArray,
        RedisModule_ReplyWithError,
        RedisModule_ReplyWithLongLong,
        RedisModule_ServerInfoGetFieldUnsigned,
        RedisModule_SetExpire,
        RedisModule_SetModuleOptions,
        RedisModule_SignalModifiedKey,
        RedisModule_StringDMA,
        RedisModule_StringPtrLen,
        RedisModule_StringTruncate,
        RedisModule_ValueLength,
        RedisModule_WrongArity,
    )
}

redis_module! {
    name: "rl",
    version: VERSION,
    allocator: (RedisAlloc, RedisAlloc),
    data_types: [],
    init: init,
}
