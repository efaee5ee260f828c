//! Finds the engine behind a new connection.

use super::{Engine, EngineChoice, ScriptForm, Scripts};
use crate::redis::{
    commands::{COMMANDS, CommandKind},
    error::CommandError,
    resp::{connection::Connection, encode::CommandBuf},
};

/// A bucket that no caller checks.
const PROBE_KEY: &str = "rl:{probe}:probe";

// === impl Engine ===

impl Engine {
    /// Finds the engine of a new connection by sending it a probe.
    ///
    /// [`CommandError::NoCommand`] if `choice` is the module and the server has none.
    pub(in crate::redis) async fn find(
        choice: EngineChoice,
        connection: &Connection,
    ) -> Result<Self, CommandError> {
        if choice != EngineChoice::Lua {
            match Self::Module.ping(connection).await {
                Ok(()) => return Ok(Self::Module),
                Err(CommandError::NoCommand) if choice == EngineChoice::Auto => {}
                Err(error) => return Err(error),
            }
        }
        let lua = Self::Lua(Scripts::load(connection).await?);
        match lua.ping(connection).await {
            Ok(()) => Ok(lua),
            Err(CommandError::NoCommand) => Err(CommandError::Refused(
                "NOPERM neither RL.PEEK nor EVALSHA may be run".to_owned(),
            )),
            Err(error) => Err(error),
        }
    }

    /// Sends a probe and waits for its reply. A cluster node that redirects it has the engine too.
    pub(in crate::redis) async fn ping(&self, connection: &Connection) -> Result<(), CommandError> {
        let reply = connection.send(&self.probe(ScriptForm::Hash)).await;
        match reply.and_then(|reply| reply.decision()) {
            Ok(_) | Err(CommandError::Redirected(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A peek, which writes nothing and shows that the engine works.
    pub(in crate::redis) fn probe(&self, form: ScriptForm) -> CommandBuf {
        let peek = COMMANDS[CommandKind::Peek as usize];
        let mut buf;
        match self {
            Self::Module => {
                buf = CommandBuf::command(5);
                buf.arg(peek.name);
            }
            Self::Lua(scripts) => {
                buf = CommandBuf::command(7);
                scripts.encode(&mut buf, peek, form, 1);
            }
        }
        for arg in [PROBE_KEY, "1", "1", "1"] {
            buf.arg(arg);
        }
        buf
    }
}
