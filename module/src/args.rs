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
                Ok(Self { key, limit: limit(capacity.bytes(), rate.bytes())?, cost: Cost::ONE })
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
        let limit = limit(capacity.bytes(), rate.bytes())?;
        Ok(Self { key, limit, cost: Cost::parse(cost.bytes())? })
    }

    /// Reads `key capacity rate cost` over and over, all of them before any is asked.
    #[inline]
    pub(crate) fn several(call: &Call<'a>) -> Result<Vec<Self>, Error> {
        let (checks, []) = call.args().as_chunks::<4>() else {
            return Err(Error::Arity);
        };
        match checks.len() {
            0 => return Err(Error::Arity),
            1..=MOST => {}
            _ => return Err(Error::TooMany),
        }
        let mut questions = Vec::with_capacity(checks.len());
        // Most calls ask under one limit: it is read once.
        let mut known: Option<(&[u8], &[u8], Limit)> = None;
        for &[key, capacity, rate, cost] in checks {
            let texts = (capacity.bytes(), rate.bytes());
            let limit = match known {
                Some((capacity, rate, limit)) if texts == (capacity, rate) => limit,
                _ => limit(texts.0, texts.1)?,
            };
            known = Some((texts.0, texts.1, limit));
            questions.push(Self { key, limit, cost: Cost::parse(cost.bytes())? });
        }
        Ok(questions)
    }
}

#[inline]
fn limit(capacity: &[u8], rate: &[u8]) -> Result<Limit, Error> {
    Ok(Limit::new(Capacity::parse(capacity)?, Rate::parse(rate)?))
}
