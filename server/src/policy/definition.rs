//! One policy.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rl_bucket::Limit;
use rl_store::bucket_key::bucket_key;

use super::{
    key_kind::KeyKind,
    limits::{INLINE, Limits, NamedLimit, PolicyLimits},
};

/// Policies by name; mostly one or a few, so that comparing beats hashing.
pub type PoliciesByName = BTreeMap<Box<str>, Policy>;

/// Limits that are checked together, and the rules for checks under them.
#[derive(Debug)]
pub struct Policy {
    pub(super) name: Box<str>,
    pub(super) key_kind: KeyKind,
    /// Whether each limit has a name of its own, which is then part of its bucket's key.
    pub(super) has_named_limits: bool,
    pub(super) limits: Arc<PolicyLimits>,
    /// The limits of single keys, by the normalised key.
    pub(super) overrides: HashMap<Box<str>, Arc<PolicyLimits>>,
    /// The rule for checks while the store is away.
    pub on_error: OnError,
    /// Whether denials are only reported, and every check is allowed.
    pub is_shadow: bool,
}

/// How to decide a check while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// By a bucket of this front.
    #[default]
    Local,
    /// Allow it.
    Open,
    /// Deny it.
    Closed,
}

// === impl Policy ===

impl Policy {
    /// A policy of one limit.
    pub(super) fn single(name: &str, limit: Limit) -> Self {
        let limit = NamedLimit { name: name.to_owned().into(), limit };
        Self::new(name, PolicyLimits::new([limit]))
    }

    /// The policy of inline limits.
    pub(super) fn inline() -> Self {
        Self::new(INLINE, PolicyLimits::new([]))
    }

    fn new(name: &str, limits: Arc<PolicyLimits>) -> Self {
        Self {
            name: name.into(),
            key_kind: KeyKind::default(),
            has_named_limits: false,
            limits,
            overrides: HashMap::new(),
            on_error: OnError::default(),
            is_shadow: false,
        }
    }

    /// The name that callers use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its limits have names of their own.
    pub fn has_named_limits(&self) -> bool {
        self.has_named_limits
    }

    /// The normalised form of a key, which names its buckets; `None` if the policy has no such key.
    pub fn normalize<'k>(&self, key: &'k str) -> Option<Cow<'k, str>> {
        self.key_kind.normalize(key)
    }

    /// The limits that apply to `key`, which is normalised.
    pub fn limits(&self, key: &str) -> Limits {
        Limits::Shared(self.overrides.get(key).unwrap_or(&self.limits).clone())
    }

    /// The key of the bucket under `limit`, for the key whose name in the store is `name`.
    pub fn bucket_key(&self, name: &str, limit: &NamedLimit) -> Vec<u8> {
        bucket_key(name, &self.name, self.has_named_limits.then_some(&*limit.name))
    }
}

// === impl OnError ===

impl OnError {
    /// Every rule, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Local, Self::Open, Self::Closed];

    /// The name in policy files and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
