//! Loading: the server API that the module needs, and its options, events and commands.

use std::ffi::c_int;

use redis_module::alloc::RedisAlloc;
use redis_module::raw::{self, RedisModuleCtx};
use redis_module::{Context, RedisString, Status, redis_module};

use super::unload::refuse_in_use;
use super::{Registrar, info, replication};
use crate::commands;

/// The version in `MODULE LIST`: major, minor and patch as one number, two digits each.
const VERSION: c_int = 10_000 * number(env!("CARGO_PKG_VERSION_MAJOR"))
    + 100 * number(env!("CARGO_PKG_VERSION_MINOR"))
    + number(env!("CARGO_PKG_VERSION_PATCH"));

/// Valkey 9 refuses to migrate slots while a module without this option is loaded. Our values are
/// plain strings, which migrate like any other. The crate does not know the bit yet.
const HANDLE_ATOMIC_SLOT_MIGRATION: c_int = 1 << 5;

#[expect(clippy::panic, reason = "only the compiler evaluates it")]
const fn number(text: &str) -> c_int {
    match c_int::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the version is not a number"),
    }
}

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
    // SAFETY: the context is live, and the pointer was just checked.
    unsafe { super::api!(RedisModule_SetModuleOptions(ctx, options)) };
    info::register(ctx);
    replication::register(ctx);
    match commands::register(&Registrar::new(ctx)) {
        Ok(()) => Status::Ok,
        Err(error) => {
            context.log_warning(error.text());
            Status::Err
        }
    }
}

/// Whether the server has every function that is called by `api!`.
fn has_required_api() -> bool {
    macro_rules! all {
        ($($name:ident),* $(,)?) => {
            // SAFETY: read on the main thread, after loading wrote them.
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
    deinit: refuse_in_use,
}
