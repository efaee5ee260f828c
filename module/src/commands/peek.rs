//! `RL.PEEK key capacity rate [cost]`: gives the answer of `RL.CHECK` and takes nothing.

use rl_bucket::Level;

use super::syntax;
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Key, Keys};

pub(crate) struct Peek;

impl Command for Peek {
    const DESCRIPTION: Description = Description {
        name: c"rl.peek",
        summary: c"Answers what RL.CHECK would, taking nothing.",
        complexity: c"O(1)",
        access: Access::Read,
        keys: Keys::First,
        arity: -4,
        arguments: syntax::CHECK,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let args = CheckArgs::one(call)?;
        let stored = Key::read(call, args.key)?;
        let decision = Level::at(stored, &args.limit, call.now()).peek(args.cost);
        call.reply_integers(decision.to_wire());
        Ok(())
    }
}
