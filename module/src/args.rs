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

// === impl Question ===

impl<'a> Question<'a> {
    /// Reads `key capacity rate [cost]`.
    #[inline]
    pub(crate) fn one(call: &Call<'a>) -> Result<Self, Error> {
        match *call.args() {
            [key, capacity, rate] => Self::parse(key, capacity, rate, None),
            [key, capacity, rate, cost] => Self::parse(key, capacity, rate, Some(cost)),
            _ => Err(Error::Arity),
        }
    }

    #[inline]
    fn parse(
        key: Arg<'a>,
        capacity: Arg<'a>,
        rate: Arg<'a>,
        cost: Option<Arg<'a>>,
    ) -> Result<Self, Error> {
        let limit = Limit::new(Capacity::parse(capacity.bytes())?, Rate::parse(rate.bytes())?);
        let cost = match cost {
            Some(cost) => Cost::parse(cost.bytes())?,
            None => Cost::ONE,
        };
        Ok(Self { key, limit, cost })
    }
}
