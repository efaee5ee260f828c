//! Finds the engine behind a new connection, and whether the server stores what it computes.

use super::{Engine, EngineChoice, ScriptForm, Scripts};
use crate::redis::{
    commands::{COMMANDS, CommandKind},
    error::CommandError,
    resp::{
        connection::{Connection, in_reply_to},
        encode::CommandBuf,
    },
};

/// Whether the server carries out checks, which store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redis) enum WritePath {
    /// It did.
    Accepted,
    /// It refused, for this reason.
    Refused(String),
    /// Another node of the cluster serves the key of the probe.
    Unknown,
}

/// A bucket that no caller checks.
pub(in crate::redis) const PROBE_KEY: &str = "rl:{probe}:probe";
/// Its capacity, tokens a second, and cost: it is full again after 10 ms, is forgotten a second
/// later, and holds enough for many fronts that connect at once.
const PROBE_NUMBERS: [&str; 3] = ["100", "100", "1"];

// === impl Engine ===

impl Engine {
    /// Finds the engine of a new connection by a check, which stores.
    ///
    /// [`CommandError::NoCommand`] if `choice` is the module and the server has none, and
    /// [`CommandError::NoPermission`] if this user may not use it.
    pub(in crate::redis) async fn find(
        choice: EngineChoice,
        connection: &Connection,
    ) -> Result<(Self, WritePath), CommandError> {
        let mut no_module = None;
        if choice != EngineChoice::Lua {
            match Self::Module.prove(connection).await {
                Err(error @ (CommandError::NoCommand(_) | CommandError::NoPermission(_)))
                    if choice == EngineChoice::Auto =>
                {
                    no_module = Some(error);
                }
                // Not the words of a server that has the module: a proxy refuses the command, or
                // a provider all of them.
                Ok(WritePath::Refused(reason))
                    if choice == EngineChoice::Auto && reason.starts_with("ERR ") =>
                {
                    no_module = Some(CommandError::Refused(reason));
                }
                proof => return Ok((Self::Module, proof?)),
            }
        }
        let lua = Self::Lua(Scripts::default());
        let proof = lua.prove(connection).await;
        proof.map(|proof| (lua, proof)).map_err(|error| no_engine(no_module, error))
    }

    /// Makes a check of a bucket that no caller uses, to see whether the server stores it. Scripts
    /// that it has refused to load are loaded before.
    pub(in crate::redis) async fn prove(
        &self,
        connection: &Connection,
    ) -> Result<WritePath, CommandError> {
        if let Self::Lua(scripts) = self
            && let Err(error) = scripts.load(connection).await
        {
            return match error {
                CommandError::Refused(reason) => Ok(WritePath::Refused(reason)),
                error => Err(in_reply_to("SCRIPT LOAD", error)),
            };
        }
        let send = |form| connection.send(&self.probe(CommandKind::Check, form));
        let reply = match send(ScriptForm::Hash).await {
            Err(CommandError::NoScript) => send(ScriptForm::Full).await,
            reply => reply,
        };
        match reply.and_then(|reply| reply.decision()) {
            Ok(_) => Ok(WritePath::Accepted),
            Err(CommandError::Refused(reason)) if reason.starts_with("CLUSTERDOWN Hash slot") => {
                Ok(WritePath::Unknown)
            }
            Err(CommandError::Refused(reason)) => Ok(WritePath::Refused(reason)),
            Err(CommandError::Redirected(_)) => Ok(WritePath::Unknown),
            Err(error) => Err(in_reply_to(self.check_command(), error)),
        }
    }

    /// The command that makes a check.
    fn check_command(&self) -> &'static str {
        match self {
            Self::Module => COMMANDS[CommandKind::Check as usize].name,
            Self::Lua(_) => "EVALSHA",
        }
    }

    /// Whether [`prove`](Self::prove) needs this command.
    pub(in crate::redis) fn needs(&self, command: &str) -> bool {
        command == self.check_command() || (command == "EVAL" && matches!(self, Self::Lua(_)))
    }

    /// A check or a peek of a bucket that no caller uses.
    pub(in crate::redis) fn probe(&self, kind: CommandKind, form: ScriptForm) -> CommandBuf {
        let spec = COMMANDS[kind as usize];
        let mut buf;
        match self {
            Self::Module => {
                buf = CommandBuf::command(5);
                buf.arg(spec.name);
            }
            Self::Lua(scripts) => {
                buf = CommandBuf::command(7);
                scripts.encode(&mut buf, spec, form, 1);
            }
        }
        buf.arg(PROBE_KEY);
        PROBE_NUMBERS.iter().for_each(|number| buf.arg(number));
        buf
    }
}

/// The error for a server on which neither engine can be used: the module because of `module`, if
/// it was tried, and the scripts because of `scripts`.
fn no_engine(module: Option<CommandError>, scripts: CommandError) -> CommandError {
    use CommandError::{NoCommand, NoPermission, Refused};
    match (module, scripts) {
        (Some(NoPermission(module)), NoPermission(script)) => {
            Refused(format!("NOPERM {script} may not be run by this user, nor {module}"))
        }
        (Some(NoCommand(module)), NoCommand(script)) => Refused(format!(
            "the server has neither {module} nor {script}: load the module, or enable scripts"
        )),
        (Some(no_module), error @ (NoCommand(_) | NoPermission(_))) => {
            Refused(format!("{}, and {}", error.reason(), no_module.reason()))
        }
        (None, error @ (NoCommand(_) | NoPermission(_))) => Refused(error.reason()),
        (_, error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandError, no_engine};

    #[test]
    fn the_causes_of_both_engines_are_named() {
        use CommandError::{NoCommand, NoPermission, Refused};
        let (check, load) = (|| "RL.CHECK".to_owned(), || "SCRIPT LOAD".to_owned());
        for (module, scripts, expected) in [
            (None, NoPermission(load()), "NOPERM SCRIPT LOAD may not be run by this user"),
            (None, NoCommand(load()), "the server has no command SCRIPT LOAD"),
            (
                Some(NoPermission(check())),
                NoPermission(load()),
                "NOPERM SCRIPT LOAD may not be run by this user, nor RL.CHECK",
            ),
            (
                Some(NoCommand(check())),
                NoPermission(load()),
                "NOPERM SCRIPT LOAD may not be run by this user, and the server has no command RL.CHECK",
            ),
            (
                Some(NoPermission(check())),
                NoCommand(load()),
                "the server has no command SCRIPT LOAD, and NOPERM RL.CHECK may not be run by this user",
            ),
            (
                Some(NoCommand(check())),
                NoCommand(load()),
                "the server has neither RL.CHECK nor SCRIPT LOAD: load the module, or enable \
                 scripts",
            ),
            (Some(NoCommand(check())), Refused("LOADING".to_owned()), "LOADING"),
            (
                Some(Refused("ERR disabled".to_owned())),
                NoCommand(load()),
                "the server has no command SCRIPT LOAD, and ERR disabled",
            ),
        ] {
            assert_eq!(no_engine(module, scripts), Refused(expected.to_owned()));
        }
    }
}
