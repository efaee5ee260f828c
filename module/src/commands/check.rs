//! `RL.CHECK` and `RL.PEEK`.

use rl_bucket::Level;

use crate::args::Question;
use crate::error::Error;
use crate::redis::{Access, Argument, Call, Command, Description, Key, Keys};
use crate::stats;

/// `RL.CHECK key capacity rate [cost]`: takes `cost` tokens if the bucket holds that many.
pub(crate) struct Check;

/// `RL.PEEK key capacity rate [cost]`: the same answer, taking nothing.
pub(crate) struct Peek;

const ARGUMENTS: &[Argument] = &[
    Argument::key(c"key"),
    Argument::number(c"capacity"),
    Argument::text(c"rate"),
    Argument::number(c"cost").optional(),
];

// === impl Check ===

impl Command for Check {
    const DESCRIPTION: Description = Description {
        name: c"rl.check",
        summary: c"Takes tokens from a token bucket if it holds that many.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: -4,
        arguments: ARGUMENTS,
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let question = Question::one(call)?;
        let key = Key::open_to_write(call, question.key)?;
        let stored = key.bucket()?;
        let step = Level::at(stored, &question.limit, call.now()).check(question.cost);
        if let Some(bucket) = step.write {
            key.store(stored, bucket)?;
        }
        stats::count(&step.decision);
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}

// === impl Peek ===

impl Command for Peek {
    const DESCRIPTION: Description = Description {
        name: c"rl.peek",
        summary: c"Answers what RL.CHECK would, taking nothing.",
        complexity: c"O(1)",
        access: Access::Read,
        keys: Keys::First,
        arity: -4,
        arguments: ARGUMENTS,
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let question = Question::one(call)?;
        let stored = Key::read(call, question.key)?;
        let level = Level::at(stored, &question.limit, call.now());
        call.reply_integers(level.peek(question.cost).to_wire());
        Ok(())
    }
}
