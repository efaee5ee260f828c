//! The Lua that stands in for the module.

use redis::{Pipeline, Value, aio::MultiplexedConnection};

use super::{command::Command, fault::Fault, reply};

/// The names (SHA-1) under which the server knows the scripts.
#[derive(Debug)]
pub(super) struct Scripts([String; Command::ALL.len()]);

/// Files of `server/lua`, one after the other.
macro_rules! script {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("../../../lua/", $file))),+)
    };
}

// === impl Command ===

impl Command {
    /// The script that does the same: its KEYS are the buckets, its ARGV capacity, tokens a second and
    /// amount of each; for checks also once, for all.
    pub const fn script(self) -> &'static str {
        match self {
            Self::Check => script!("checks.lua", "check.lua"),
            Self::Peek => script!("bucket.lua", "one.lua", "peek.lua"),
            Self::MCheck => script!("checks.lua", "mcheck.lua"),
            Self::CheckAll => script!("bucket.lua", "checkall.lua"),
            Self::Take => script!("bucket.lua", "one.lua", "take.lua"),
            Self::Refund => script!("bucket.lua", "one.lua", "refund.lua"),
            Self::Charge => script!("bucket.lua", "one.lua", "charge.lua"),
            Self::Reset => script!("bucket.lua", "reset.lua"),
        }
    }
}

// === impl Scripts ===

impl Scripts {
    /// Loads the scripts, in one round trip, and learns their names from the server; they stay until it
    /// restarts or is told to forget them.
    pub(super) async fn load(connection: &mut MultiplexedConnection) -> Result<Self, Fault> {
        let mut loads = Pipeline::new();
        for command in Command::ALL {
            loads.cmd("SCRIPT").arg("LOAD").arg(command.script());
        }
        // Not as a query: that would hide what the server says if it refuses.
        let replies = connection.send_packed_commands(&loads, 0, loads.len()).await?;
        Self::read(replies).map_err(|fault| match fault {
            Fault::NoCommand => Fault::Refused("NOPERM SCRIPT LOAD may not be run".to_owned()),
            fault => fault,
        })
    }

    fn read(replies: Vec<Value>) -> Result<Self, Fault> {
        let names = replies.into_iter().map(reply::text).collect::<Result<Vec<_>, _>>()?;
        names.try_into().map(Self).map_err(|_| reply::nonsense())
    }

    /// The name of a command's script.
    pub(super) fn name(&self, command: Command) -> &str {
        &self.0[command as usize]
    }

    /// The script with this name.
    pub(super) fn text(&self, name: &[u8]) -> Option<&'static str> {
        let named = |command: &Command| self.name(*command).as_bytes() == name;
        Command::ALL.into_iter().find(named).map(Command::script)
    }

    /// Scripts that go by these names, in the order of [`Command::ALL`].
    #[cfg(test)]
    pub(super) fn named(names: [String; Command::ALL.len()]) -> Self {
        Self(names)
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Command, Fault, Scripts};

    #[test]
    fn every_command_finds_its_name_and_text() {
        let names = Command::ALL.map(|command| command.name().to_owned());
        let scripts = Scripts::named(names);
        for command in Command::ALL {
            assert_eq!(scripts.name(command), command.name());
            assert_eq!(scripts.text(command.name().as_bytes()), Some(command.script()));
            assert!(command.script().starts_with("-- "));
        }
        assert_eq!(scripts.text(b"RL.OTHER"), None);
    }

    #[test]
    fn names_are_read_strictly() {
        let good = vec![Value::BulkString(b"c0de".to_vec()); Command::ALL.len()];
        assert_eq!(Scripts::read(good.clone()).unwrap().name(Command::Reset), "c0de");
        for bad in [vec![], good[1..].to_vec(), vec![Value::Int(1); Command::ALL.len()]] {
            assert!(matches!(Scripts::read(bad), Err(Fault::Broken(_))));
        }
    }
}
