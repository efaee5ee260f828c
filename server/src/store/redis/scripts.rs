//! The Lua that stands in for the module.

use futures_util::future::join_all;

use super::{
    command::{Command, Form},
    fault::Fault,
    frame::Reply,
    reply,
    wire::Wire,
    words::Words,
};

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
    pub(super) async fn load(wire: &Wire) -> Result<Self, Fault> {
        let load = |command: Command| {
            let mut words = Words::command(3);
            for word in ["SCRIPT", "LOAD", command.script()] {
                words.word(word);
            }
            wire.send(&words)
        };
        let replies = join_all(Command::ALL.map(load)).await;
        replies.into_iter().collect::<Result<_, _>>().and_then(Self::read).map_err(|fault| {
            match fault {
                Fault::NoCommand => Fault::Refused("NOPERM SCRIPT LOAD may not be run".to_owned()),
                fault => fault,
            }
        })
    }

    fn read(replies: Vec<Reply>) -> Result<Self, Fault> {
        let names = replies.into_iter().map(reply::text).collect::<Result<Vec<_>, _>>()?;
        names.try_into().map(Self).map_err(|_| reply::nonsense())
    }

    /// The words that run a command's script with so many keys, up to the first key.
    pub(super) fn say(&self, words: &mut Words, command: Command, form: Form, keys: usize) {
        match form {
            Form::Hash => {
                words.word("EVALSHA");
                words.word(&self.0[command as usize]);
            }
            Form::Full => {
                words.word("EVAL");
                words.word(command.script());
            }
        }
        words.number(keys);
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

    use super::{Command, Fault, Reply, Scripts, Words};

    #[test]
    fn every_command_finds_its_name_and_text() {
        let scripts = Scripts::named(Command::ALL.map(|command| command.name().to_owned()));
        for command in Command::ALL {
            let mut words = Words::default();
            scripts.say(&mut words, command, super::Form::Hash, 1);
            let said = String::from_utf8_lossy(words.bytes()).into_owned();
            assert!(said.contains(command.name()), "{said}");
            assert!(command.script().starts_with("-- "));
        }
    }

    #[test]
    fn names_are_read_strictly() {
        let text = |text: &str| Reply::Other(Value::BulkString(text.into()));
        let good = vec![text("c0de"); Command::ALL.len()];
        assert!(Scripts::read(good.clone()).is_ok());
        let bad = Reply::Other(Value::Int(1));
        for bad in [vec![], good[1..].to_vec(), vec![bad; Command::ALL.len()]] {
            assert!(matches!(Scripts::read(bad), Err(Fault::Broken(_))));
        }
    }
}
