//! `RL.TAKE key capacity rate n`: takes as many whole tokens as there are, at most `n`.

use super::{amount, syntax};
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Keys};
use crate::stats;

pub(crate) struct Take;

impl Command for Take {
    const DESCRIPTION: Description = Description {
        name: c"rl.take",
        summary: c"Takes as many whole tokens as there are, up to a number.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: 5,
        arguments: syntax::AMOUNT,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let (taken, step) = amount::apply(call, |level, n| level.take(n))?;
        stats::count(&step.decision);
        let [allowed, limit, remaining, retry_after, reset_after] = step.decision.to_wire();
        let taken = taken.cast_signed();
        call.reply_integers([taken, allowed, limit, remaining, retry_after, reset_after]);
        Ok(())
    }
}
