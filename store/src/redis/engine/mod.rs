//! The programs that compute a bucket inside Redis: the module's commands, or the Lua scripts.
//!
//! Both take the same steps on the same state, so fronts may use either side by side.

mod probe;
mod scripts;

pub(super) use self::scripts::{ScriptForm, Scripts};
use crate::EngineKind;

/// The engine behind one connection.
#[derive(Debug)]
pub(super) enum Engine {
    /// `RL.CHECK` and its family.
    Module,
    /// `EVALSHA` of the scripts.
    Lua(Scripts),
}

/// Which engine may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The module if the server has it, else Lua.
    #[default]
    Auto,
    /// The Redis module only.
    Module,
    /// The Lua scripts only.
    Lua,
}

// === impl Engine ===

impl Engine {
    /// The kind to report.
    pub(super) fn kind(&self) -> EngineKind {
        match self {
            Self::Module => EngineKind::Module,
            Self::Lua(_) => EngineKind::Lua,
        }
    }
}
