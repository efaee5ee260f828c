//! What is said to Redis, word for word.

use redis::{Arg, Cmd, RedisWrite};

use super::engine::Engine;
use crate::store::{Ask, Request};

/// A command of the module; each has a script that does the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Takes tokens if there are enough.
    Check,
    /// The same answer, taking nothing.
    Peek,
    /// Independent checks.
    MCheck,
    /// Checks that stand or fall together.
    CheckAll,
    /// Takes whole tokens as far as they go.
    Take,
    /// Gives tokens back.
    Refund,
    /// Takes tokens into debt.
    Charge,
    /// Deletes buckets.
    Reset,
}

/// A bucket nobody checks.
const PROBE_KEY: &str = "rl:{probe}:probe";

// === impl Command ===

impl Command {
    /// Every command, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Check,
        Self::Peek,
        Self::MCheck,
        Self::CheckAll,
        Self::Take,
        Self::Refund,
        Self::Charge,
        Self::Reset,
    ];

    /// Its name in the module.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Check => "RL.CHECK",
            Self::Peek => "RL.PEEK",
            Self::MCheck => "RL.MCHECK",
            Self::CheckAll => "RL.CHECKALL",
            Self::Take => "RL.TAKE",
            Self::Refund => "RL.REFUND",
            Self::Charge => "RL.CHARGE",
            Self::Reset => "RL.RESET",
        }
    }
}

impl From<Ask> for Command {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Check => Self::Check,
            Ask::Peek => Self::Peek,
            Ask::Refund => Self::Refund,
            Ask::Charge => Self::Charge,
        }
    }
}

// === impl Engine ===

impl Engine {
    /// Any command but `RL.RESET`, about these buckets.
    pub(super) fn ask(&self, command: Command, requests: &[Request<'_>]) -> Cmd {
        let mut cmd = Cmd::new();
        match self {
            Self::Module => {
                cmd.arg(command.name());
                for request in requests {
                    cmd.arg(request.key);
                    cmd.write_arg_fmt(request.limit.capacity());
                    cmd.write_arg_fmt(request.limit.rate());
                    cmd.write_arg_fmt(request.amount);
                }
            }
            Self::Lua(scripts) => {
                cmd.arg("EVALSHA").arg(scripts.name(command)).arg(requests.len());
                for request in requests {
                    cmd.arg(request.key);
                }
                for request in requests {
                    cmd.write_arg_fmt(request.limit.capacity());
                    // The shortest text that reads back as the same double, so Lua computes with it.
                    cmd.write_arg_fmt(request.limit.rate().per_second());
                    cmd.write_arg_fmt(request.amount);
                }
            }
        }
        cmd
    }

    /// `RL.RESET` of these keys.
    pub(super) fn reset(&self, keys: &[&[u8]]) -> Cmd {
        let mut cmd = Cmd::new();
        match self {
            Self::Module => cmd.arg(Command::Reset.name()),
            Self::Lua(scripts) => {
                cmd.arg("EVALSHA").arg(scripts.name(Command::Reset)).arg(keys.len())
            }
        };
        cmd.arg(keys);
        cmd
    }

    /// A command that writes nothing and shows that the engine works.
    pub(super) fn probe(&self) -> Cmd {
        let mut cmd = Cmd::new();
        match self {
            Self::Module => cmd.arg(Command::Peek.name()),
            Self::Lua(scripts) => cmd.arg("EVALSHA").arg(scripts.name(Command::Peek)).arg(1),
        };
        cmd.arg(PROBE_KEY).arg("1").arg("1").arg("1");
        cmd
    }

    /// `cmd` with its script in full, for a server that has forgotten it; that also loads it. `None` if
    /// it names no script of ours.
    pub(super) fn in_full(&self, cmd: &Cmd) -> Option<Cmd> {
        let Self::Lua(scripts) = self else {
            return None;
        };
        let mut words = cmd.args_iter().filter_map(|arg| match arg {
            Arg::Simple(bytes) => Some(bytes),
            _ => None,
        });
        let script = scripts.text(words.nth(1)?)?;
        let mut eval = Cmd::new();
        eval.arg("EVAL").arg(script);
        for word in words {
            eval.arg(word);
        }
        Some(eval)
    }
}

#[cfg(test)]
mod tests {
    use redis::{Arg, Cmd};
    use rl_bucket::{Cost, Limit};

    use super::{Command, Engine};
    use crate::store::{Ask, Request, redis::scripts::Scripts};

    fn lua() -> Engine {
        Engine::Lua(Scripts::named(Command::ALL.map(|command| format!("sha-{command:?}"))))
    }

    fn request<'a>(key: &'a str, capacity: &str, rate: &str, amount: &str) -> Request<'a> {
        Request {
            key: key.as_bytes(),
            limit: Limit::parse(capacity, rate).unwrap(),
            amount: Cost::parse(amount.as_bytes()).unwrap(),
        }
    }

    /// The words with a space between, as one would type them.
    fn line(cmd: &Cmd) -> String {
        let words = cmd.args_iter().map(|arg| match arg {
            Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => panic!("not a plain argument"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_words() {
        let one = [request("rl:{k}:default", "100", "120/m", "0.1")];
        let two = [request("a", "1.5", "1/4s", "1"), request("b", "7", "10", "0")];
        for (command, requests, module, script) in [
            (
                Command::Check,
                &one[..],
                "RL.CHECK rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Check 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Peek,
                &one,
                "RL.PEEK rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Peek 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::MCheck,
                &two,
                "RL.MCHECK a 1.5 1/4s 1 b 7 10 0",
                "EVALSHA sha-MCheck 2 a b 1.5 0.25 1 7 10 0",
            ),
            (
                Command::CheckAll,
                &two,
                "RL.CHECKALL a 1.5 1/4s 1 b 7 10 0",
                "EVALSHA sha-CheckAll 2 a b 1.5 0.25 1 7 10 0",
            ),
            (
                Command::Take,
                &one,
                "RL.TAKE rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Take 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Refund,
                &one,
                "RL.REFUND rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Refund 1 rl:{k}:default 100 2 0.1",
            ),
            (
                Command::Charge,
                &one,
                "RL.CHARGE rl:{k}:default 100 120/m 0.1",
                "EVALSHA sha-Charge 1 rl:{k}:default 100 2 0.1",
            ),
        ] {
            assert_eq!(line(&Engine::Module.ask(command, requests)), module);
            assert_eq!(line(&lua().ask(command, requests)), script);
        }
        let keys: [&[u8]; 2] = [b"a", b"b"];
        assert_eq!(line(&Engine::Module.reset(&keys)), "RL.RESET a b");
        assert_eq!(line(&lua().reset(&keys)), "EVALSHA sha-Reset 2 a b");
        assert_eq!(line(&Engine::Module.probe()), "RL.PEEK rl:{probe}:probe 1 1 1");
        assert_eq!(line(&lua().probe()), "EVALSHA sha-Peek 1 rl:{probe}:probe 1 1 1");
    }

    #[test]
    fn a_rate_reaches_lua_to_the_last_bit() {
        let words = line(&lua().ask(Command::Check, &[request("k", "0.000000001", "100/m", "1")]));
        let rate = words.split(' ').nth(5).unwrap();
        assert_eq!(rate.parse::<f64>().unwrap().to_bits(), (100.0f64 / 60.0).to_bits());
    }

    #[test]
    fn each_ask_is_the_command_of_its_name() {
        for ask in [Ask::Check, Ask::Peek, Ask::Refund, Ask::Charge] {
            assert_eq!(format!("{ask:?}"), format!("{:?}", Command::from(ask)));
        }
    }

    #[test]
    fn a_forgotten_script_is_sent_in_full() {
        let requests = [request("k", "5", "1", "1")];
        for command in Command::ALL {
            let (cmd, rest) = match command {
                Command::Reset => (lua().reset(&[b"k"]), "1 k"),
                _ => (lua().ask(command, &requests), "1 k 5 1 1"),
            };
            let full = lua().in_full(&cmd).unwrap();
            assert_eq!(line(&full), ["EVAL", command.script(), rest].join(" "));
        }
        assert!(lua().in_full(&redis::cmd("PING")).is_none());
        assert!(Engine::Module.in_full(&Engine::Module.probe()).is_none());
    }
}
