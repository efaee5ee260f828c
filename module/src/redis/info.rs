//! The section `INFO rl`.

use std::ffi::c_int;

use redis_module::raw::{self, RedisModuleCtx, RedisModuleInfoCtx};

use crate::stats;

/// Registers the section.
pub(super) fn register(ctx: *mut RedisModuleCtx) {
    // SAFETY: read on the main thread, after loading wrote it.
    if let Some(register) = unsafe { raw::RedisModule_RegisterInfoFunc } {
        // SAFETY: the context is live while the module loads.
        unsafe { register(ctx, Some(add)) };
    }
}

/// Adds the counters to a reply of `INFO`.
///
/// # Safety
/// Called by the server with a live context.
unsafe extern "C" fn add(ctx: *mut RedisModuleInfoCtx, _for_crash_report: c_int) {
    // SAFETY: read on the main thread, after loading wrote it.
    let section = unsafe { raw::RedisModule_InfoAddSection };
    // SAFETY: as above.
    let field = unsafe { raw::RedisModule_InfoAddFieldULongLong };
    let (Some(section), Some(field)) = (section, field) else {
        return;
    };
    // SAFETY: the context is live and the text constant.
    unsafe { section(ctx, c"stats".as_ptr()) };
    for (name, count) in stats::all() {
        // SAFETY: as above.
        unsafe { field(ctx, name.as_ptr(), count) };
    }
}
