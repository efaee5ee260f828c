//! Introducing commands to the server: flags, key positions, and the self-description that newer
//! servers can take.

use std::ffi::{CStr, c_int};
use std::mem::size_of;
use std::ptr;

use redis_module::raw::{self, RedisModuleCommand, RedisModuleCtx, Status};

use super::{Call, api, call};
use crate::error::Error;

/// A command and its handler.
pub(crate) trait Command {
    const DESCRIPTION: Description;

    fn run(call: &Call<'_>) -> Result<(), Error>;
}

/// What a command says of itself.
pub(crate) struct Description {
    pub(crate) name: &'static CStr,
    pub(crate) summary: &'static CStr,
    pub(crate) complexity: &'static CStr,
    pub(crate) access: Access,
    pub(crate) keys: Keys,
    /// As the server counts: the command's name included, `-n` for at least `n`.
    pub(crate) arity: c_int,
    pub(crate) arguments: &'static [Argument],
}

/// What a command does to its key.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// It may change the key.
    Write,
    /// It never does, and runs on replicas.
    Read,
    /// It may delete the key, and needs no memory for it.
    Delete,
}

/// Which arguments are keys.
#[derive(Clone, Copy)]
pub(crate) enum Keys {
    /// The first.
    First,
    /// The first of every four.
    EveryFourth,
    /// All of them.
    Every,
}

/// One argument in `COMMAND DOCS`.
pub(crate) struct Argument {
    name: &'static CStr,
    kind: raw::RedisModuleCommandArgType,
    flags: c_int,
    parts: &'static [Argument],
}

/// Registers commands while the module loads.
pub(crate) struct Registrar {
    ctx: *mut RedisModuleCtx,
}

/// The server refused a command.
pub(crate) struct RegisterError(&'static str);

// === impl Argument ===

impl Argument {
    pub(crate) const fn key(name: &'static CStr) -> Self {
        Self::new(name, raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY)
    }

    pub(crate) const fn number(name: &'static CStr) -> Self {
        Self::new(name, raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_DOUBLE)
    }

    pub(crate) const fn text(name: &'static CStr) -> Self {
        Self::new(name, raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_STRING)
    }

    /// One key or more.
    pub(crate) const fn keys(name: &'static CStr) -> Self {
        Self { flags: raw::REDISMODULE_CMD_ARG_MULTIPLE.cast_signed(), ..Self::key(name) }
    }

    /// These arguments, once or more.
    pub(crate) const fn repeated(name: &'static CStr, parts: &'static [Argument]) -> Self {
        let block = Self::new(name, raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_BLOCK);
        Self { flags: raw::REDISMODULE_CMD_ARG_MULTIPLE.cast_signed(), parts, ..block }
    }

    pub(crate) const fn optional(self) -> Self {
        Self { flags: raw::REDISMODULE_CMD_ARG_OPTIONAL.cast_signed(), ..self }
    }

    const fn new(name: &'static CStr, kind: raw::RedisModuleCommandArgType) -> Self {
        Self { name, kind, flags: 0, parts: &[] }
    }

    /// The list as the server takes it, ended by an entry of zeros. Lists of parts go to `kept`, which
    /// must live as long as the result is used.
    fn list(
        arguments: &[Self],
        kept: &mut Vec<Vec<raw::RedisModuleCommandArg>>,
    ) -> Vec<raw::RedisModuleCommandArg> {
        let mut list: Vec<_> = arguments.iter().map(|argument| argument.to_raw(kept)).collect();
        // SAFETY: a plain C struct, for which all zeros is a valid value.
        list.push(unsafe { std::mem::zeroed() });
        list
    }

    fn to_raw(
        &self,
        kept: &mut Vec<Vec<raw::RedisModuleCommandArg>>,
    ) -> raw::RedisModuleCommandArg {
        let is_key = self.kind == raw::RedisModuleCommandArgType_REDISMODULE_ARG_TYPE_KEY;
        let mut subargs = ptr::null_mut();
        if !self.parts.is_empty() {
            let mut parts = Self::list(self.parts, kept);
            subargs = parts.as_mut_ptr(); // the buffer stays where it is when the list moves
            kept.push(parts);
        }
        raw::RedisModuleCommandArg {
            name: self.name.as_ptr(),
            type_: self.kind,
            key_spec_index: if is_key { 0 } else { -1 },
            token: ptr::null(),
            summary: ptr::null(),
            since: ptr::null(),
            flags: self.flags,
            deprecated_since: ptr::null(),
            subargs,
            display_text: ptr::null(),
        }
    }
}

// === impl Access ===

impl Access {
    /// Command flags, as `RM_CreateCommand` takes them.
    fn flags(self) -> &'static CStr {
        match self {
            Self::Write => c"write deny-oom fast",
            Self::Read => c"readonly fast",
            Self::Delete => c"write fast",
        }
    }

    fn acl_categories(self) -> &'static CStr {
        match self {
            Self::Write | Self::Delete => c"write fast",
            Self::Read => c"read fast",
        }
    }

    fn key_flags(self) -> u64 {
        u64::from(match self {
            Self::Write => {
                raw::REDISMODULE_CMD_KEY_RW
                    | raw::REDISMODULE_CMD_KEY_ACCESS
                    | raw::REDISMODULE_CMD_KEY_UPDATE
            }
            Self::Read => raw::REDISMODULE_CMD_KEY_RO | raw::REDISMODULE_CMD_KEY_ACCESS,
            Self::Delete => raw::REDISMODULE_CMD_KEY_RM | raw::REDISMODULE_CMD_KEY_DELETE,
        })
    }
}

// === impl Keys ===

impl Keys {
    /// The last key's position (0 or -1: the first, or up to the end) and the step between keys.
    fn range(self) -> (c_int, c_int) {
        match self {
            Self::First => (0, 1),
            Self::EveryFourth => (-1, 4),
            Self::Every => (-1, 1),
        }
    }
}

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

    /// Registers `C` and tells the server all it can take of the description.
    pub(crate) fn add<C: Command>(&self) -> Result<(), RegisterError> {
        let description = &C::DESCRIPTION;
        let name = description.name.as_ptr();
        let flags = description.access.flags().as_ptr();
        let (last, step) = description.keys.range();
        let last = if last == 0 { 1 } else { last };
        let handle = Some(call::handle::<C> as _);
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

    /// ACL categories (Redis 7.2). Before that a module's commands are in none.
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
