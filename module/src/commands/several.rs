//! `RL.MCHECK` and `RL.CHECKALL`: many checks in one call.

use rl_bucket::{Bucket, Cost, Level, Step};

use crate::args::Question;
use crate::error::Error;
use crate::redis::{Access, Argument, Call, Command, Description, Key, Keys};
use crate::stats;

/// `RL.MCHECK key capacity rate cost [...]`: independent checks, each answered by five integers. A key
/// that holds something else answers [`NOT_A_BUCKET`] and spoils no other check. (An error inside the
/// array would: many clients fail the whole call over one.)
pub(crate) struct MCheck;

/// `RL.CHECKALL key capacity rate cost [...]`: takes from every bucket, or from none.
pub(crate) struct CheckAll;

/// A check that is decided and not yet done.
struct Plan<'a> {
    question: Question<'a>,
    stored: Option<Bucket>,
    level: Level,
    step: Step,
}

/// Not allowed and not denied.
const NOT_A_BUCKET: [i64; 5] = [-1, 0, 0, 0, 0];

const TEMPLATE: Description = Description {
    name: c"",
    summary: c"",
    complexity: c"O(N) where N is the number of checks",
    access: Access::Write,
    keys: Keys::EveryFourth,
    arity: -5,
    arguments: &[Argument::repeated(
        c"check",
        &[
            Argument::key(c"key"),
            Argument::number(c"capacity"),
            Argument::text(c"rate"),
            Argument::number(c"cost"),
        ],
    )],
};

// === impl MCheck ===

impl Command for MCheck {
    const DESCRIPTION: Description = Description {
        name: c"rl.mcheck",
        summary: c"Makes several independent checks in one call.",
        ..TEMPLATE
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let questions = Question::several(call)?;
        let now = call.now();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let step = Key::open_to_write(call, question.key).and_then(|key| {
                let stored = key.bucket()?;
                let step = Level::at(stored, &question.limit, now).check(question.cost);
                match step.write {
                    Some(bucket) => key.store(stored, bucket).map(|()| step),
                    None => Ok(step),
                }
            });
            answers.push(match step {
                Ok(step) => {
                    stats::count(&step.decision);
                    step.decision.to_wire()
                }
                Err(error) => {
                    stats::count_error(error);
                    NOT_A_BUCKET
                }
            });
        }
        // Not before all is done: whatever happened half-way would be heard inside an array.
        call.reply_array(answers.len().saturating_mul(5));
        answers.into_iter().flatten().for_each(|n| call.reply_integer(n));
        Ok(())
    }
}

// === impl CheckAll ===

impl Command for CheckAll {
    const DESCRIPTION: Description = Description {
        name: c"rl.checkall",
        summary: c"Takes tokens from every bucket, or from none if one of them denies.",
        ..TEMPLATE
    };

    fn run(call: &Call<'_>) -> Result<(), Error> {
        let plans = Plan::all(call)?;
        let denied = plans.iter().position(|plan| !plan.step.decision.is_allowed());
        // Who is denied loses nothing; only a bucket from the future is moved to now, as ever.
        let writes = plans.iter().map(|plan| match denied {
            None => plan.step.write,
            Some(_) => plan.level.check(Cost::ZERO).write,
        });
        for (plan, write) in plans.iter().zip(writes) {
            if let Some(bucket) = write {
                Key::open_to_write(call, plan.question.key)?.store(plan.stored, bucket)?;
            }
        }

        call.reply_array(plans.len().saturating_mul(5).saturating_add(2));
        call.reply_integer(i64::from(denied.is_none()));
        call.reply_integer(denied.map_or(-1, |index| i64::try_from(index).unwrap_or(i64::MAX)));
        for plan in &plans {
            let decision = match denied {
                None => plan.step.decision,
                Some(_) => plan.level.peek(plan.question.cost),
            };
            stats::count(&decision);
            decision.to_wire().into_iter().for_each(|n| call.reply_integer(n));
        }
        Ok(())
    }
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Decides every check, changing nothing. A key that was named before is seen as that check would
    /// leave it.
    fn all(call: &Call<'a>) -> Result<Vec<Self>, Error> {
        let now = call.now();
        let questions = Question::several(call)?;
        let mut plans: Vec<Self> = Vec::with_capacity(questions.len());
        for question in questions {
            let name = question.key.bytes();
            let earlier = plans.iter().rfind(|plan| plan.question.key.bytes() == name);
            let stored = match earlier {
                Some(plan) => plan.step.write.or(plan.stored),
                None => Key::read(call, question.key)?,
            };
            let level = Level::at(stored, &question.limit, now);
            let step = level.check(question.cost);
            plans.push(Self { question, stored, level, step });
        }
        Ok(plans)
    }
}
