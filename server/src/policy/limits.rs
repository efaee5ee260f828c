//! The limits of a check.

use std::{borrow::Cow, ops::Deref, slice, sync::Arc};

use rl_bucket::Limit;

/// A limit and the name that callers see: its own, or the policy's if the policy has one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLimit {
    /// Letters, digits, `.`, `_` and `-`.
    pub name: Cow<'static, str>,
    /// Capacity and rate.
    pub limit: Limit,
}

/// The limits of a check; at least one.
#[derive(Clone, Debug, PartialEq)]
pub enum Limits {
    /// The limits of a policy.
    Shared(Arc<[NamedLimit]>),
    /// The limit that came with the request.
    Inline(NamedLimit),
}

/// The name of the policy of inline limits; a file cannot define it.
pub const INLINE: &str = "inline";

// === impl Limits ===

impl Limits {
    /// A limit that came with a request.
    pub fn inline(limit: Limit) -> Self {
        Self::Inline(NamedLimit { name: Cow::Borrowed(INLINE), limit })
    }
}

impl Deref for Limits {
    type Target = [NamedLimit];

    fn deref(&self) -> &[NamedLimit] {
        match self {
            Self::Shared(limits) => limits,
            Self::Inline(limit) => slice::from_ref(limit),
        }
    }
}
