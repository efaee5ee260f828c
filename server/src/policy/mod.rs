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

use rl_store::bucket_key::{DEFAULT_POLICY, bucket_key};

/// The policies of a file, or of the flags that stand for one.
#[derive(Debug)]
pub struct Policies {
    /// The policies that have names.
    pub by_name: PoliciesByName,
    /// The policy of limits that come with a request, if they may.
    pub inline: Option<Policy>,
    /// A short hash of the content: 16 hex digits, equal on all fronts with the same file.
    pub hash: String,
}

/// Policies by name; mostly one or a few, so that comparing beats hashing.
pub type PoliciesByName = BTreeMap<Box<str>, Policy>;

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
    pub is_shadow: bool,
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

/// The policy of limits that come with the question; a file cannot define it.
pub const INLINE: &str = "inline";

// === impl Policies ===

impl Policies {
    /// The policies without a file: `limit` is the policy `default`, and requests may bring limits.
    pub fn without_file(limit: Limit) -> Self {
        let only = NamedLimit { name: DEFAULT_POLICY.into(), limit };
        let text = format!("{} {}", limit.capacity(), limit.rate());
        Self {
            by_name: BTreeMap::from([(DEFAULT_POLICY.into(), Policy::single(only))]),
            inline: Some(Policy::inline()),
            hash: hash(text.as_bytes()),
        }
    }

    /// Reads a policy file: UTF-8 TOML. The error names the line, the column and the rule.
    pub fn read(file: &[u8]) -> Result<Self, FileError> {
        let (by_name, inline) = file::read(file)?;
        Ok(Self { by_name, inline: inline.then(Policy::inline), hash: hash(file) })
    }

    /// The limit called `POLICY`, or `POLICY:LIMIT` of a policy with several limits.
    pub fn limit(&self, name: &str) -> Result<Limit, &'static str> {
        let (policy, limit) = match name.split_once(':') {
            Some((policy, limit)) => (policy, Some(limit)),
            None => (name, None),
        };
        let policy = self.by_name.get(policy).ok_or("no policy has this name")?;
        match (&*policy.limits, limit) {
            ([only], None) => Ok(only.limit),
            (_, None) => Err("the policy has several limits: name one, as POLICY:LIMIT"),
            (limits, Some(name)) => limits
                .iter()
                .find(|limit| policy.has_named_limits() && limit.name == name)
                .map(|limit| limit.limit)
                .ok_or("the policy has no limit of this name"),
        }
    }
}

/// The first 8 bytes of the SHA-256, in hex.
fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

// === impl Policy ===

impl Policy {
    fn single(limit: NamedLimit) -> Self {
        Self {
            name: limit.name.as_ref().into(),
            several: false,
            limits: Arc::new([limit]),
            overrides: HashMap::new(),
            on_error: OnError::Local,
            is_shadow: false,
        }
    }

    fn inline() -> Self {
        Self {
            name: INLINE.into(),
            several: false,
            limits: Arc::new([]),
            overrides: HashMap::new(),
            on_error: OnError::Local,
            is_shadow: false,
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
        bucket_key(name, &self.name, self.several.then_some(&*limit.name))
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
