//! The step that `RL.TAKE`, `RL.REFUND` and `RL.CHARGE` share.

use rl_bucket::{Cost, Level, Step};

use crate::args::CheckArgs;
use crate::error::CommandError;
use crate::redis::{Call, Key};

/// Reads `key capacity rate n`, runs `step` on the bucket and stores its state. Returns the result
/// of `step`.
#[inline]
pub(super) fn apply<T>(
    call: &Call<'_>,
    step: impl FnOnce(Level, Cost) -> (T, Step),
) -> Result<(T, Step), CommandError> {
    let args = CheckArgs::amount(call)?;
    let key = Key::open_to_write(call, args.key)?;
    let stored = key.bucket()?;
    let (extra, step) = step(Level::at(stored, &args.limit, call.now()), args.cost);
    if let Some(bucket) = step.write {
        key.store(stored, bucket)?;
    }
    Ok((extra, step))
}
