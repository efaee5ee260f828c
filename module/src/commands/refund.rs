//! `RL.REFUND key capacity rate n`: gives `n` tokens back, never above the capacity.

use super::{amount, syntax};
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Keys};

pub(crate) struct Refund;

impl Command for Refund {
    const DESCRIPTION: Description = Description {
        name: c"rl.refund",
        summary: c"Gives tokens back to a bucket, up to its capacity.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: 5,
        arguments: syntax::AMOUNT,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let ((), step) = amount::apply(call, |level, n| ((), level.refund(n)))?;
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}
