//! Registration of commands: flags, key positions, and the description that newer servers take.

use std::ffi::c_int;
use std::mem::size_of;
use std::ptr;

use redis_module::raw::{self, RedisModuleCommand, RedisModuleCtx, Status};

use super::api;
use super::describe::{Argument, Description};
use super::handler::{self, Command};

/// Registers commands while the module loads.
pub(crate) struct Registrar {
    ctx: *mut RedisModuleCtx,
}

/// The server refused a command.
pub(crate) struct RegisterError(&'static str);

// === impl RegisterError ===

impl RegisterError {
    pub(crate) fn text(&self) -> &'static str {
        self.0
    }
}

// === impl Registrar ===

impl Registrar {
    pub(super) fn new(ctx: *mut RedisModuleCtx) -> Self {
        Self { ctx }
    }

    /// Registers `C`, with as much of its description as the server takes.
    pub(crate) fn add<C: Command>(&self) -> Result<(), RegisterError> {
        let description = &C::DESCRIPTION;
        let name = description.name.as_ptr();
        let flags = description.access.flags().as_ptr();
        let (last, step) = description.keys.range();
        let last = if last == 0 { 1 } else { last };
        let handle = Some(handler::handle::<C> as _);
        // SAFETY: the context is live while the module loads; the texts are constant.
        let status = unsafe {
            api!(RedisModule_CreateCommand(self.ctx, name, handle, flags, 1, last, step))
        };
        if status != Status::Ok as c_int {
            return Err(RegisterError("a command of this name exists already"));
        }
        // SAFETY: as above; `GetCommand` came with Redis 7.0.
        let Some(get_command) = (unsafe { raw::RedisModule_GetCommand }) else {
            return Ok(());
        };
        // SAFETY: the context is live.
        let command = unsafe { get_command(self.ctx, name) };
        if !command.is_null() {
            Self::describe(command, description)?;
            Self::categorise(command, description)?;
        }
        Ok(())
    }

    /// `COMMAND DOCS`, key specs and arity (Redis 7.0).
    fn describe(
        command: *mut RedisModuleCommand,
        description: &Description,
    ) -> Result<(), RegisterError> {
        // SAFETY: read on the main thread, after loading wrote it.
        let Some(set_info) = (unsafe { raw::RedisModule_SetCommandInfo }) else {
            return Ok(());
        };
        let version = raw::RedisModuleCommandInfoVersion {
            version: 1,
            sizeof_historyentry: size_of::<raw::RedisModuleCommandHistoryEntry>(),
            sizeof_keyspec: size_of::<raw::RedisModuleCommandKeySpec>(),
            sizeof_arg: size_of::<raw::RedisModuleCommandArg>(),
        };
        // Both lists end with an entry of zeros.
        // SAFETY: plain C structs, for which all zeros is a valid value.
        let mut key_specs: [raw::RedisModuleCommandKeySpec; 2] = unsafe { std::mem::zeroed() };
        let [spec, _] = &mut key_specs;
        spec.flags = description.access.key_flags();
        spec.begin_search_type = raw::RedisModuleKeySpecBeginSearchType_REDISMODULE_KSPEC_BS_INDEX;
        spec.bs.index.pos = 1;
        spec.find_keys_type = raw::RedisModuleKeySpecFindKeysType_REDISMODULE_KSPEC_FK_RANGE;
        let (last, step) = description.keys.range();
        spec.fk.range = raw::RedisModuleCommandKeySpec__bindgen_ty_2__bindgen_ty_1 {
            lastkey: last,
            keystep: step,
            limit: 0,
        };
        let mut kept = Vec::new();
        let mut arguments = Argument::list(description.arguments, &mut kept);

        let info = raw::RedisModuleCommandInfo {
            version: &raw const version,
            summary: description.summary.as_ptr(),
            complexity: description.complexity.as_ptr(),
            since: c"0.1.0".as_ptr(),
            history: ptr::null_mut(),
            tips: ptr::null(),
            arity: description.arity,
            key_specs: key_specs.as_mut_ptr(),
            args: arguments.as_mut_ptr(),
        };
        // SAFETY: the server copies all of it before it returns.
        match unsafe { set_info(command, &raw const info) } == Status::Ok as c_int {
            true => Ok(()),
            false => Err(RegisterError("the server refused a command's description")),
        }
    }

    /// ACL categories (Redis 7.2). On older servers, a module's commands are in none.
    fn categorise(
        command: *mut RedisModuleCommand,
        description: &Description,
    ) -> Result<(), RegisterError> {
        // SAFETY: read on the main thread, after loading wrote it.
        let Some(set_categories) = (unsafe { raw::RedisModule_SetCommandACLCategories }) else {
            return Ok(());
        };
        let categories = description.access.acl_categories().as_ptr();
        // SAFETY: the command is live and the text constant.
        match unsafe { set_categories(command, categories) } == Status::Ok as c_int {
            true => Ok(()),
            false => Err(RegisterError("the server refused a command's ACL categories")),
        }
    }
}
