//! Descriptions of commands, for `COMMAND DOCS`, key routing and ACLs.

use std::ffi::{CStr, c_int};
use std::ptr;

use redis_module::raw;

/// The description of a command.
pub(crate) struct Description {
    pub(crate) name: &'static CStr,
    pub(crate) summary: &'static CStr,
    pub(crate) complexity: &'static CStr,
    pub(crate) access: Access,
    pub(crate) keys: Keys,
    /// The number of arguments with the command's name, or `-n` for at least `n`.
    pub(crate) arity: c_int,
    pub(crate) arguments: &'static [Argument],
}

/// The way in which a command uses its keys.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// It may change them.
    Write,
    /// It never changes them, and runs on replicas.
    Read,
    /// It may delete them, which takes no memory.
    Delete,
}

/// The arguments that are keys.
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

    /// One or more keys.
    pub(crate) const fn keys(name: &'static CStr) -> Self {
        Self { flags: raw::REDISMODULE_CMD_ARG_MULTIPLE.cast_signed(), ..Self::key(name) }
    }

    /// All of `parts`, once or more.
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

    /// The list in the form that the server takes, ended by an entry of zeros. Lists of parts go to
    /// `kept`, which must live as long as the result.
    pub(super) fn list(
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
            subargs = parts.as_mut_ptr(); // the buffer does not move with the list
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
    /// Command flags for `RM_CreateCommand`.
    pub(super) fn flags(self) -> &'static CStr {
        match self {
            Self::Write => c"write deny-oom fast",
            Self::Read => c"readonly fast",
            Self::Delete => c"write fast",
        }
    }

    pub(super) fn acl_categories(self) -> &'static CStr {
        match self {
            Self::Write | Self::Delete => c"write fast",
            Self::Read => c"read fast",
        }
    }

    pub(super) fn key_flags(self) -> u64 {
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
    /// The position of the last key (0: the first; -1: the end) and the step between keys.
    pub(super) fn range(self) -> (c_int, c_int) {
        match self {
            Self::First => (0, 1),
            Self::EveryFourth => (-1, 4),
            Self::Every => (-1, 1),
        }
    }
}
