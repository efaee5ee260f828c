//! The Lua scripts that stand in for the module.

use std::cell::OnceCell;

use futures_util::future::join_all;

use crate::redis::{
    commands::{COMMANDS, CommandSpec},
    error::CommandError,
    resp::{
        connection::Connection,
        encode::CommandBuf,
        reply::{Reply, invalid},
    },
};

/// The SHA-1 hashes by which the server knows the scripts, once it has loaded them.
#[derive(Debug, Default)]
pub(in crate::redis) struct Scripts(OnceCell<[String; COMMANDS.len()]>);

/// The way in which a script is named. The module's commands have one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redis) enum ScriptForm {
    /// By its hash, if that is known.
    Hash,
    /// In full, for a server that has lost it; that also loads it.
    Full,
}

// === impl Scripts ===

impl Scripts {
    /// Loads the scripts in one round trip, unless that has been done. The server keeps them until
    /// it restarts or is told to forget them.
    pub(super) async fn load(&self, connection: &Connection) -> Result<(), CommandError> {
        if self.0.get().is_some() {
            return Ok(());
        }
        let load =
            |spec: &CommandSpec| connection.send(&CommandBuf::of(["SCRIPT", "LOAD", spec.script]));
        let replies = join_all(COMMANDS.map(load)).await;
        let hashes = replies.into_iter().collect::<Result<_, _>>().and_then(hashes);
        let load = || "SCRIPT LOAD".to_owned();
        // Some servers name the first word alone.
        let hashes = hashes.map_err(|error| match error {
            CommandError::NoCommand(_) => CommandError::NoCommand(load()),
            CommandError::NoPermission(_) => CommandError::NoPermission(load()),
            error => error,
        })?;
        self.0.get_or_init(|| hashes);
        Ok(())
    }

    /// Appends the arguments that run a command's script with `keys` keys, up to the first key.
    pub(in crate::redis) fn encode(
        &self,
        buf: &mut CommandBuf,
        spec: &CommandSpec,
        form: ScriptForm,
        keys: usize,
    ) {
        match (form, self.0.get()) {
            (ScriptForm::Hash, Some(hashes)) => {
                buf.arg("EVALSHA");
                buf.arg(&hashes[spec.kind as usize]);
            }
            _ => {
                buf.arg("EVAL");
                buf.arg(spec.script);
            }
        }
        buf.number(keys);
    }

    /// Scripts with these hashes, in the order of [`COMMANDS`].
    #[cfg(test)]
    pub(in crate::redis) fn with_hashes(hashes: [String; COMMANDS.len()]) -> Self {
        Self(OnceCell::from(hashes))
    }
}

fn hashes(replies: Vec<Reply>) -> Result<[String; COMMANDS.len()], CommandError> {
    let hashes = replies.into_iter().map(Reply::text).collect::<Result<Vec<_>, _>>()?;
    hashes.try_into().map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{COMMANDS, CommandBuf, CommandError, Reply, ScriptForm, Scripts, hashes};

    #[test]
    fn every_command_has_its_hash_and_text() {
        let scripts = Scripts::with_hashes(COMMANDS.map(|spec| spec.name.to_owned()));
        for spec in COMMANDS {
            let mut buf = CommandBuf::default();
            scripts.encode(&mut buf, spec, ScriptForm::Hash, 1);
            let encoded = String::from_utf8_lossy(buf.bytes()).into_owned();
            assert!(encoded.contains(spec.name), "{encoded}");
            assert!(spec.script.starts_with("-- "));
        }
    }

    #[test]
    fn a_script_without_a_hash_is_sent_in_full() {
        for spec in COMMANDS {
            let encoded = [ScriptForm::Hash, ScriptForm::Full].map(|form| {
                let mut buf = CommandBuf::default();
                Scripts::default().encode(&mut buf, spec, form, 1);
                buf.bytes().to_vec()
            });
            assert_eq!(encoded[0], encoded[1]);
        }
    }

    #[test]
    fn hashes_are_read_strictly() {
        let text = |text: &str| Reply::Other(Value::BulkString(text.into()));
        let good = vec![text("c0de"); COMMANDS.len()];
        assert!(hashes(good.clone()).is_ok());
        let number = Reply::Other(Value::Int(1));
        for bad in [vec![], good[1..].to_vec(), vec![number; COMMANDS.len()]] {
            assert!(matches!(hashes(bad), Err(CommandError::Broken(_))));
        }
    }
}
