//! Arguments to questions.

use rl_bucket::{Capacity, Cost, Limit, Rate};

use crate::error::Error;
use crate::redis::{Arg, Call};

/// What is asked of one bucket.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) key: Arg<'a>,
    pub(crate) limit: Limit,
    pub(crate) cost: Cost,
}

/// The most checks one call may hold, so that no call holds the server up for long.
const MOST: usize = 1024;

// === impl Question ===

impl<'a> Question<'a> {
    /// Reads `key capacity rate [cost]`.
    #[inline]
    pub(crate) fn one(call: &Call<'a>) -> Result<Self, Error> {
        match *call.args() {
            [key, capacity, rate] => {
                Ok(Self { key, limit: limit(capacity, rate)?, cost: Cost::ONE })
            }
            _ => Self::amount(call),
        }
    }

    /// Reads `key capacity rate n`.
    #[inline]
    pub(crate) fn amount(call: &Call<'a>) -> Result<Self, Error> {
        let [key, capacity, rate, cost] = *call.args() else {
            return Err(Error::Arity);
        };
        Self::parse(key, capacity, rate, cost)
    }

    /// Reads `key capacity rate cost` over and over, all of them before any is asked.
    #[inline]
    pub(crate) fn several(call: &Call<'a>) -> Result<Vec<Self>, Error> {
        let (checks, []) = call.args().as_chunks::<4>() else {
            return Err(Error::Arity);
        };
        match checks.len() {
            0 => Err(Error::Arity),
            1..=MOST => checks
                .iter()
                .map(|&[key, capacity, rate, cost]| Self::parse(key, capacity, rate, cost))
                .collect(),
            _ => Err(Error::TooMany),
        }
    }

    #[inline]
    fn parse(key: Arg<'a>, capacity: Arg<'a>, rate: Arg<'a>, cost: Arg<'a>) -> Result<Self, Error> {
        Ok(Self { key, limit: limit(capacity, rate)?, cost: Cost::parse(cost.bytes())? })
    }
}

#[inline]
fn limit(capacity: Arg<'_>, rate: Arg<'_>) -> Result<Limit, Error> {
    Ok(Limit::new(Capacity::parse(capacity.bytes())?, Rate::parse(rate.bytes())?))
}
