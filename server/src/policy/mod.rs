//! Policies: under which limits a key is checked, and what happens when Redis cannot be asked.

mod file;
mod mistake;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    ops::Deref,
    slice,
    sync::Arc,
};

use rl_bucket::Limit;
use sha2::{Digest, Sha256};

pub use mistake::FileError;

use crate::{
    metrics::{Metrics, PolicyMeters},
    names,
};

/// Every policy in force. It is never changed, only replaced as a whole.
#[derive(Debug)]
pub struct Policies {
    named: Named,
    /// What applies to limits that come with the question, if they may.
    inline: Option<Arc<Policy>>,
    hash: String,
}

/// Policies by name; mostly one or a few, so that comparing beats hashing.
type Named = BTreeMap<Box<str>, Arc<Policy>>;

/// One limit or several, which are checked all or nothing.
#[derive(Debug)]
pub struct Policy {
    name: Box<str>,
    /// Whether each limit has a name of its own, which is then part of its bucket's.
    several: bool,
    limits: Arc<[NamedLimit]>,
    overrides: HashMap<Box<str>, Arc<[NamedLimit]>>,
    /// Who answers while Redis does not.
    pub on_error: OnError,
    /// Whether a denial is only reported, and the caller let through.
    pub shadow: bool,
    /// What is counted.
    pub meters: PolicyMeters,
}

/// A limit, and what the outside calls it: the name of its policy if it is the only one.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLimit {
    /// Letters, digits, `.`, `_` and `-`.
    pub name: Cow<'static, str>,
    /// Capacity and rate.
    pub limit: Limit,
}

/// The limits of one question; at least one.
#[derive(Clone, Debug, PartialEq)]
pub enum Limits {
    /// Those of a policy.
    Shared(Arc<[NamedLimit]>),
    /// The one that came with the question.
    Inline(NamedLimit),
}

/// What a check is worth that Redis did not decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// A bucket of this front stands in.
    #[default]
    Local,
    /// Everything is allowed.
    Open,
    /// Everything is denied.
    Closed,
}

/// The policy that applies when none is named.
pub const DEFAULT: &str = "default";
/// The policy of limits that come with the question; a file cannot define it.
pub const INLINE: &str = "inline";

// === impl Policies ===

impl Policies {
    /// Without a file: `limit` is the policy [`DEFAULT`], and questions may bring limits.
    pub fn without_file(limit: Limit, metrics: &Metrics) -> Self {
        let only = NamedLimit { name: DEFAULT.into(), limit };
        let text = format!("{} {}", limit.capacity(), limit.rate());
        Self {
            named: BTreeMap::from([(DEFAULT.into(), Arc::new(Policy::single(only, metrics)))]),
            inline: Some(Arc::new(Policy::inline(metrics))),
            hash: hash(text.as_bytes()),
        }
    }

    /// Reads a policy file: UTF-8 TOML. The error says where and why.
    pub fn read(file: &[u8], metrics: &Metrics) -> Result<Self, FileError> {
        let (named, inline) = file::read(file, metrics)?;
        Ok(Self {
            named,
            inline: inline.then(|| Arc::new(Policy::inline(metrics))),
            hash: hash(file),
        })
    }

    /// The policy of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Policy>> {
        self.named.get(name)
    }

    /// What applies to limits that come with a question; `None` if they are not taken.
    pub fn inline(&self) -> Option<&Arc<Policy>> {
        self.inline.as_ref()
    }

    /// Every name under which something is counted, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.values().chain(&self.inline).map(|policy| &*policy.name)
    }

    /// How many policies have a name.
    pub fn len(&self) -> usize {
        self.named.len()
    }

    /// Whether no policy has a name.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Tells one content from another: 16 hex digits, equal on all fronts with the same file.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// The first 8 bytes of the SHA-256.
fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

// === impl Policy ===

impl Policy {
    fn single(limit: NamedLimit, metrics: &Metrics) -> Self {
        Self {
            name: limit.name.as_ref().into(),
            several: false,
            meters: metrics.policy(&limit.name),
            limits: Arc::new([limit]),
            overrides: HashMap::new(),
            on_error: OnError::Local,
            shadow: false,
        }
    }

    fn inline(metrics: &Metrics) -> Self {
        Self {
            name: INLINE.into(),
            several: false,
            meters: metrics.policy(INLINE),
            limits: Arc::new([]),
            overrides: HashMap::new(),
            on_error: OnError::Local,
            shadow: false,
        }
    }

    /// As callers call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its limits have names of their own.
    pub fn has_named_limits(&self) -> bool {
        self.several
    }

    /// The limits that apply to `key`.
    pub fn limits(&self, key: &str) -> Limits {
        Limits::Shared(self.overrides.get(key).unwrap_or(&self.limits).clone())
    }

    /// The name in the store of the bucket under `limit` of the key called `name`.
    pub fn bucket(&self, name: &str, limit: &NamedLimit) -> Vec<u8> {
        names::bucket(name, &self.name, self.several.then_some(&*limit.name))
    }
}

// === impl Limits ===

impl Limits {
    /// A limit that came with the question.
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

// === impl OnError ===

impl OnError {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Open, Self::Closed];

    /// As a policy file says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
