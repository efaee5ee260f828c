//! `RL.PANIC key`: a bug, for the test that the server survives one. Only with the feature
//! `panic-command`.

use crate::error::CommandError;
use crate::redis::{Access, Argument, Call, Command, Description, Key, Keys};

pub(crate) struct Panic;

impl Command for Panic {
    const DESCRIPTION: Description = Description {
        name: c"rl.panic",
        summary: c"Panics with a key open.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: 2,
        arguments: &[Argument::key(c"key")],
    };

    #[expect(clippy::panic, reason = "the purpose of the command")]
    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let [name] = *call.args() else {
            return Err(CommandError::Arity);
        };
        let key = Key::open_to_write(call, name)?;
        let stored = key.bucket()?;
        panic!("on purpose, with a key that is {}", if stored.is_some() { "there" } else { "not" });
    }
}
