//! What computes a bucket inside Redis: the module's commands, or the Lua scripts.
//!
//! Both move the same state by the same steps, so fronts may use either side by side.

use super::{command::Form, fault::Fault, reply, scripts::Scripts, wire::Wire};
use crate::{settings::EngineChoice, status::Serving};

/// The engine that serves on one connection.
#[derive(Debug)]
pub(super) enum Engine {
    /// `RL.CHECK` and its family.
    Module,
    /// `EVALSHA` of the scripts.
    Lua(Scripts),
}

// === impl Engine ===

impl Engine {
    /// Finds the engine that serves on a new connection, by asking it something.
    ///
    /// [`Fault::NoCommand`] if `choice` is the module and the server has none.
    pub(super) async fn find(choice: EngineChoice, wire: &Wire) -> Result<Self, Fault> {
        if choice != EngineChoice::Lua {
            match Self::Module.answers(wire).await {
                Ok(()) => return Ok(Self::Module),
                Err(Fault::NoCommand) if choice == EngineChoice::Auto => {}
                Err(fault) => return Err(fault),
            }
        }
        let lua = Self::Lua(Scripts::load(wire).await?);
        match lua.answers(wire).await {
            Ok(()) => Ok(lua),
            Err(Fault::NoCommand) => {
                Err(Fault::Refused("NOPERM neither RL.PEEK nor EVALSHA may be run".to_owned()))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Its name for the outside.
    pub(super) fn serving(&self) -> Serving {
        match self {
            Self::Module => Serving::Module,
            Self::Lua(_) => Serving::Lua,
        }
    }

    /// Asks it something that changes nothing. A cluster's node that would be asked about another slot has the
    /// engine too.
    pub(super) async fn answers(&self, wire: &Wire) -> Result<(), Fault> {
        match wire.send(&self.probe(Form::Hash)).await.and_then(reply::decision) {
            Ok(_) | Err(Fault::Elsewhere(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}
