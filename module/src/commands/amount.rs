//! `RL.TAKE`, `RL.REFUND` and `RL.CHARGE`: an amount of tokens, taken or given.

use rl_bucket::{Level, Step};

use crate::args::Question;
use crate::error::Error;
use crate::redis::{Access, Argument, Call, Command, Description, Key, Keys};
use crate::stats;

/// `RL.TAKE key capacity rate n`: takes as many whole tokens as there are, at most `n`.
pub(crate) struct Take;

/// `RL.REFUND key capacity rate n`: gives tokens back, never above the capacity.
pub(crate) struct Refund;

/// `RL.CHARGE key capacity rate n`: takes tokens unconditionally, down to minus the capacity.
pub(crate) struct Charge;

const TEMPLATE: Description = Description {
    name: c"",
    summary: c"",
    complexity: c"O(1)",
    access: Access::Write,
    keys: Keys::First,
    arity: 5,
    arguments: &[
        Argument::key(c"key"),
        Argument::number(c"capacity"),
        Argument::text(c"rate"),
        Argument::number(c"n"),
    ],
};

/// Moves the bucket in question by `step`; what `step` says beside the new state is handed through.
#[inline]
fn apply<T>(
    call: &Call<'_>,
    step: impl FnOnce(Level, &Question<'_>) -> (T, Step),
) -> Result<(T, Step), Error> {
    let question = Question::amount(call)?;
    let key = Key::open_to_write(call, question.key)?;
    let stored = key.bucket()?;
    let (extra, step) = step(Level::at(stored, &question.limit, call.now()), &question);
    if let Some(bucket) = step.write {
        key.store(stored, bucket)?;
    }
    Ok((extra, step))
}

// === impl Take ===

impl Command for Take {
    const DESCRIPTION: Description = Description {
        name: c"rl.take",
        summary: c"Takes as many whole tokens as there are, up to a number.",
        ..TEMPLATE
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let (granted, step) = apply(call, |level, question| level.take(question.cost))?;
        stats::count(&step.decision);
        let [allowed, limit, remaining, retry_after, reset_after] = step.decision.to_wire();
        let granted = granted.cast_signed();
        call.reply_integers([granted, allowed, limit, remaining, retry_after, reset_after]);
        Ok(())
    }
}

// === impl Refund ===

impl Command for Refund {
    const DESCRIPTION: Description = Description {
        name: c"rl.refund",
        summary: c"Gives tokens back to a bucket, up to its capacity.",
        ..TEMPLATE
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let ((), step) = apply(call, |level, question| ((), level.refund(question.cost)))?;
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}

// === impl Charge ===

impl Command for Charge {
    const DESCRIPTION: Description = Description {
        name: c"rl.charge",
        summary:
            c"Takes tokens whether they are there or not, into a debt of at most one capacity.",
        ..TEMPLATE
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let ((), step) = apply(call, |level, question| ((), level.charge(question.cost)))?;
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}
