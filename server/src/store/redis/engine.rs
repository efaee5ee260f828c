//! What computes a bucket inside Redis: the module's commands, or the Lua scripts.
//!
//! Both move the same state by the same steps, so fronts may use either side by side.

use redis::{Arg, Cmd, RedisWrite, aio::MultiplexedConnection};
use rl_bucket::{Cost, Limit};

use super::fault::Fault;
use crate::{settings::EngineChoice, status::Serving};

/// The engine that serves on one connection.
#[derive(Debug)]
pub(super) enum Engine {
    /// `RL.CHECK`, `RL.PEEK`.
    Module,
    /// `EVALSHA` of the scripts.
    Lua(Scripts),
}

/// The names (SHA-1) under which the server knows the scripts.
#[derive(Debug)]
pub(super) struct Scripts {
    check: String,
    peek: String,
}

const CHECK: &str =
    concat!(include_str!("../../../lua/bucket.lua"), include_str!("../../../lua/check.lua"));
const PEEK: &str =
    concat!(include_str!("../../../lua/bucket.lua"), include_str!("../../../lua/peek.lua"));

/// A bucket nobody checks.
const PROBE_KEY: &str = "rl:{probe}:probe";

// === impl Engine ===

impl Engine {
    /// Finds the engine that serves on a new connection, by asking it something.
    ///
    /// [`Fault::NoCommand`] if `choice` is the module and the server has none.
    pub(super) async fn find(
        choice: EngineChoice,
        connection: &mut MultiplexedConnection,
    ) -> Result<Self, Fault> {
        if choice != EngineChoice::Lua {
            match ask(&Self::Module.probe(), connection).await {
                Ok(_) => return Ok(Self::Module),
                Err(Fault::NoCommand) if choice == EngineChoice::Auto => {}
                Err(fault) => return Err(fault),
            }
        }
        let lua = Self::Lua(Scripts::load(connection).await?);
        match ask(&lua.probe(), connection).await {
            Ok(_) => Ok(lua),
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

    /// The command that takes `cost` from `key`.
    pub(super) fn check(&self, key: &[u8], limit: &Limit, cost: Cost) -> Cmd {
        let mut cmd = Cmd::new();
        match self {
            Self::Module => {
                cmd.arg("RL.CHECK").arg(key);
                cmd.write_arg_fmt(limit.capacity());
                cmd.write_arg_fmt(limit.rate());
            }
            Self::Lua(scripts) => {
                cmd.arg("EVALSHA").arg(&scripts.check).arg(1).arg(key);
                cmd.write_arg_fmt(limit.capacity());
                // The shortest text that reads back as the same double, so Lua computes with it.
                cmd.write_arg_fmt(limit.rate().per_second());
            }
        }
        cmd.write_arg_fmt(cost);
        cmd
    }

    /// `cmd` with its script in full, for a server that has forgotten it; that also loads it.
    pub(super) fn in_full(&self, cmd: &Cmd) -> Cmd {
        let mut words = cmd.args_iter().filter_map(|arg| match arg {
            Arg::Simple(bytes) => Some(bytes),
            _ => None,
        });
        let name = words.nth(1);
        let text = match self {
            Self::Lua(scripts) if name == Some(scripts.peek.as_bytes()) => PEEK,
            _ => CHECK,
        };
        let mut eval = Cmd::new();
        eval.arg("EVAL").arg(text);
        for word in words {
            eval.arg(word);
        }
        eval
    }

    /// A command that writes nothing and shows that the engine works.
    pub(super) fn probe(&self) -> Cmd {
        let mut cmd = Cmd::new();
        match self {
            Self::Module => cmd.arg("RL.PEEK"),
            Self::Lua(scripts) => cmd.arg("EVALSHA").arg(&scripts.peek).arg(1),
        };
        cmd.arg(PROBE_KEY).arg("1").arg("1").arg("1");
        cmd
    }
}

// === impl Scripts ===

impl Scripts {
    /// Loads the scripts; they stay until the server restarts or is told to forget them.
    pub(super) async fn load(connection: &mut MultiplexedConnection) -> Result<Self, Fault> {
        let (check, peek) = (load(CHECK, connection).await?, load(PEEK, connection).await?);
        Ok(Self { check, peek })
    }
}

/// Loads one script and learns its name from the server.
async fn load(text: &str, connection: &mut MultiplexedConnection) -> Result<String, Fault> {
    let name = redis::cmd("SCRIPT").arg("LOAD").arg(text).query_async(connection).await;
    name.map_err(|error| match Fault::from(error) {
        Fault::NoCommand => Fault::Refused("NOPERM SCRIPT LOAD may not be run".to_owned()),
        fault => fault,
    })
}

/// Sends a command and reads the five integers.
pub(super) async fn ask(
    cmd: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<[i64; 5], Fault> {
    Ok(cmd.query_async(connection).await?)
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::{Engine, Scripts};

    fn words(cmd: &redis::Cmd) -> Vec<String> {
        let words = cmd.args_iter().map(|arg| match arg {
            redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => panic!("not a plain argument"),
        });
        words.collect()
    }

    #[test]
    fn module_commands_carry_numbers_as_they_were_written() {
        let limit = Limit::parse("100", "100/m").unwrap();
        let cost = Cost::parse(b"0.1").unwrap();
        let cmd = Engine::Module.check(b"rl:{k}:default", &limit, cost);
        assert_eq!(words(&cmd), ["RL.CHECK", "rl:{k}:default", "100", "100/m", "0.1"]);
        let probe = Engine::Module.probe();
        assert_eq!(words(&probe), ["RL.PEEK", "rl:{probe}:probe", "1", "1", "1"]);
    }

    #[test]
    fn lua_commands_carry_the_rate_a_second_to_the_last_bit() {
        let lua = Engine::Lua(Scripts { check: "c0de".to_owned(), peek: "beef".to_owned() });
        let limit = Limit::parse("0.000000001", "100/m").unwrap();
        let words = words(&lua.check(b"k", &limit, Cost::ONE));
        assert_eq!(words[..5], ["EVALSHA", "c0de", "1", "k", "0.000000001"]);
        assert_eq!(words[5].parse::<f64>().unwrap().to_bits(), (100.0f64 / 60.0).to_bits());
        assert_eq!(words[6], "1");
    }

    #[test]
    fn a_forgotten_script_is_sent_in_full() {
        let lua = Engine::Lua(Scripts { check: "c0de".to_owned(), peek: "beef".to_owned() });
        let limit = Limit::parse("5", "1").unwrap();
        let check = words(&lua.in_full(&lua.check(b"k", &limit, Cost::ONE)));
        assert_eq!(check, ["EVAL", super::CHECK, "1", "k", "5", "1", "1"]);
        let peek = words(&lua.in_full(&lua.probe()));
        assert_eq!(peek[..2], ["EVAL", super::PEEK]);
    }
}
