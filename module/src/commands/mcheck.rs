//! `RL.MCHECK key capacity rate cost [...]`: independent checks, each answered by five integers.
//!
//! A key that holds anything else is answered by [`NOT_A_BUCKET`] and does not affect the other
//! checks. An error inside the array would: many clients fail the whole call because of one.

use rl_bucket::Level;

use super::syntax;
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Key, Keys};
use crate::stats;

pub(crate) struct MCheck;

/// Neither allowed nor denied.
const NOT_A_BUCKET: [i64; 5] = [-1, 0, 0, 0, 0];

impl Command for MCheck {
    const DESCRIPTION: Description = Description {
        name: c"rl.mcheck",
        summary: c"Makes several independent checks in one call.",
        complexity: c"O(N) where N is the number of checks",
        access: Access::Write,
        keys: Keys::EveryFourth,
        arity: -5,
        arguments: syntax::CHECKS,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let checks = CheckArgs::several(call)?;
        let now = call.now();
        let mut replies = Vec::with_capacity(checks.len());
        for args in checks {
            let step = Key::open_to_write(call, args.key).and_then(|key| {
                let stored = key.bucket()?;
                let step = Level::at(stored, &args.limit, now).check(args.cost);
                match step.write {
                    Some(bucket) => key.store(stored, bucket).map(|()| step),
                    None => Ok(step),
                }
            });
            replies.push(match step {
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
        // After all checks: an error on the way would end up inside the array.
        call.reply_array(replies.len().saturating_mul(5));
        replies.into_iter().flatten().for_each(|n| call.reply_integer(n));
        Ok(())
    }
}
