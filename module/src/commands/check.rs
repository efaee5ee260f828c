//! `RL.CHECK key capacity rate [cost]`: takes `cost` tokens if the bucket holds that many.

use rl_bucket::Level;

use super::syntax;
use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::redis::{Access, Call, Command, Description, Key, Keys};
use crate::stats;

pub(crate) struct Check;

impl Command for Check {
    const DESCRIPTION: Description = Description {
        name: c"rl.check",
        summary: c"Takes tokens from a token bucket if it holds that many.",
        complexity: c"O(1)",
        access: Access::Write,
        keys: Keys::First,
        arity: -4,
        arguments: syntax::CHECK,
    };

    fn run(call: &Call<'_>) -> Result<(), CommandError> {
        let args = CheckArgs::one(call)?;
        let key = Key::open_to_write(call, args.key)?;
        let stored = key.bucket()?;
        let step = Level::at(stored, &args.limit, call.now()).check(args.cost);
        if let Some(bucket) = step.write {
            key.store(stored, bucket)?;
        }
        stats::count(&step.decision);
        call.reply_integers(step.decision.to_wire());
        Ok(())
    }
}
