//! The limits of a check.

use std::{
    borrow::Cow,
    ops::Deref,
    slice,
    sync::{Arc, OnceLock},
};

use actix_web::http::header::HeaderValue;
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
#[derive(Clone, Debug)]
pub enum Limits {
    /// The limits of a policy.
    Shared(Arc<PolicyLimits>),
    /// The limit that came with the request.
    Inline(NamedLimit),
}

/// The limits that a policy has for one key, or for all keys without an override.
#[derive(Debug)]
pub struct PolicyLimits {
    limits: Box<[NamedLimit]>,
    /// The header that describes them, the same in every response.
    header: OnceLock<HeaderValue>,
}

/// The name of the policy of inline limits; a file cannot define it.
pub const INLINE: &str = "inline";

// === impl Limits ===

impl Limits {
    /// A limit that came with a request.
    pub fn inline(limit: Limit) -> Self {
        Self::Inline(NamedLimit { name: Cow::Borrowed(INLINE), limit })
    }

    /// The header that describes the limits, made by `describe`: once for those of a policy.
    pub fn header(&self, describe: impl FnOnce() -> HeaderValue) -> HeaderValue {
        match self {
            Self::Shared(limits) => limits.header.get_or_init(describe).clone(),
            Self::Inline(_) => describe(),
        }
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

impl PartialEq for Limits {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Shared(one), Self::Shared(other)) if Arc::ptr_eq(one, other) => true,
            _ => **self == **other,
        }
    }
}

// === impl PolicyLimits ===

impl PolicyLimits {
    pub(super) fn new(limits: impl Into<Box<[NamedLimit]>>) -> Arc<Self> {
        Arc::new(Self { limits: limits.into(), header: OnceLock::new() })
    }
}

impl Deref for PolicyLimits {
    type Target = [NamedLimit];

    fn deref(&self) -> &[NamedLimit] {
        &self.limits
    }
}
