//! Arguments to checks.

use rl_bucket::{Capacity, Cost, Limit, MAX_CHECKS, Rate};

use crate::error::CommandError;
use crate::redis::{Arg, Call};

/// The arguments for one bucket: its key, its limit and an amount of tokens.
#[derive(Clone, Copy)]
pub(crate) struct CheckArgs<'a> {
    pub(crate) key: Arg<'a>,
    pub(crate) limit: Limit,
    pub(crate) cost: Cost,
}

// === impl CheckArgs ===

impl<'a> CheckArgs<'a> {
    /// Reads `key capacity rate [cost]`.
    #[inline]
    pub(crate) fn one(call: &Call<'a>) -> Result<Self, CommandError> {
        match *call.args() {
            [key, capacity, rate] => {
                Ok(Self { key, limit: limit(capacity.bytes(), rate.bytes())?, cost: Cost::ONE })
            }
            _ => Self::amount(call),
        }
    }

    /// Reads `key capacity rate n`.
    #[inline]
    pub(crate) fn amount(call: &Call<'a>) -> Result<Self, CommandError> {
        let [key, capacity, rate, cost] = *call.args() else {
            return Err(CommandError::Arity);
        };
        let limit = limit(capacity.bytes(), rate.bytes())?;
        Ok(Self { key, limit, cost: Cost::parse(cost.bytes())? })
    }

    /// Reads `key capacity rate cost [key capacity rate cost ...]`, all of it before the first
    /// check is made.
    #[inline]
    pub(crate) fn several(call: &Call<'a>) -> Result<Vec<Self>, CommandError> {
        let (checks, []) = call.args().as_chunks::<4>() else {
            return Err(CommandError::Arity);
        };
        match checks.len() {
            0 => return Err(CommandError::Arity),
            1..=MAX_CHECKS => {}
            _ => return Err(CommandError::TooMany),
        }
        let mut args = Vec::with_capacity(checks.len());
        // Most calls have one limit for all checks: it is parsed once.
        let mut last: Option<(&[u8], &[u8], Limit)> = None;
        for &[key, capacity, rate, cost] in checks {
            let texts = (capacity.bytes(), rate.bytes());
            let limit = match last {
                Some((capacity, rate, limit)) if texts == (capacity, rate) => limit,
                _ => limit(texts.0, texts.1)?,
            };
            last = Some((texts.0, texts.1, limit));
            args.push(Self { key, limit, cost: Cost::parse(cost.bytes())? });
        }
        Ok(args)
    }
}

#[inline]
fn limit(capacity: &[u8], rate: &[u8]) -> Result<Limit, CommandError> {
    Ok(Limit::new(Capacity::parse(capacity)?, Rate::parse(rate)?))
}
