//! `RL.CHARGE key capacity rate n`: takes `n` tokens unconditionally, down to minus the capacity.

use super::{amount, syntax};
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Keys};

pub(crate) struct Charge;

impl Command for Charge {
    const DESCRIPTION: Description = Description {
        name: c"rl.charge",
        summary:
            c"Takes tokens whether they are there or not, into a debt of at most one capacity.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: 5,
        arguments: syntax::AMOUNT,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let ((), step) = amount::apply(call, |level, n| ((), level.charge(n)))?;
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}
