//! A check as a caller states it.

use std::borrow::Cow;

use rl_bucket::{Cost, Limit};

/// A caller's key, cost and limit source.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRequest<'a> {
    /// The key, 1 to 1024 bytes.
    pub key: Cow<'a, str>,
    /// The limits to apply.
    pub source: LimitSource<'a>,
    /// The tokens to take, or to give back.
    pub cost: Cost,
    /// The prefix that the normalised key must have, as the caller's token says.
    pub prefix: Option<&'a str>,
}

/// The limits to apply.
#[derive(Clone, Debug, PartialEq)]
pub enum LimitSource<'a> {
    /// The limits of the policy with this name.
    Policy(Cow<'a, str>),
    /// The limit that came with the request.
    Inline(Limit),
}
