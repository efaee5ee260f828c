//! Policies: the limits of each key, and the decision on a check while Redis is away.

mod definition;
mod error;
mod file;
mod key_kind;
mod limits;
mod near;
mod tables;

use std::collections::BTreeMap;

use rl_bucket::Limit;
use rl_store::{bucket_key::DEFAULT_POLICY, hex};
use sha2::{Digest, Sha256};

pub(crate) use self::near::near;
pub use self::{
    definition::{OnError, PoliciesByName, Policy},
    error::PolicyFileError,
    limits::{INLINE, Limits, NamedLimit},
};

/// The policies of a file, or of the flags that replace one.
#[derive(Debug)]
pub struct Policies {
    /// The policies that a request can name.
    pub by_name: PoliciesByName,
    /// The policy of inline limits, if they are permitted.
    pub inline: Option<Policy>,
    /// A short hash of the content: 16 hex digits, equal on all fronts with the same file.
    pub hash: String,
}

// === impl Policies ===

impl Policies {
    /// The policies without a file: `limit` is the policy `default`, and inline limits are
    /// permitted.
    pub fn without_file(limit: Limit) -> Self {
        let text = format!("{} {}", limit.capacity(), limit.rate());
        let default = Policy::single(DEFAULT_POLICY, limit);
        Self {
            by_name: BTreeMap::from([(DEFAULT_POLICY.into(), default)]),
            inline: Some(Policy::inline()),
            hash: short_hash(text.as_bytes()),
        }
    }

    /// Reads a policy file: TOML in UTF-8. The error names the line, the column and the rule.
    pub fn read(content: &[u8]) -> Result<Self, PolicyFileError> {
        let file = file::read(content)?;
        Ok(Self {
            by_name: file.policies,
            inline: file.has_inline.then(Policy::inline),
            hash: short_hash(content),
        })
    }

    /// The limit called `POLICY`, or `POLICY:LIMIT` if the policy has several limits.
    pub fn limit(&self, name: &str) -> Result<Limit, String> {
        let (policy, limit) = match name.split_once(':') {
            Some((policy, limit)) => (policy, Some(limit)),
            None => (name, None),
        };
        let policy = self.by_name.get(policy).ok_or_else(|| {
            let names = self.by_name.keys().map(|name| &**name);
            near::missing("no policy has this name", policy, names)
        })?;
        match (&**policy.limits, limit) {
            ([only], None) => Ok(only.limit),
            (_, None) => Err("the policy has several limits: name one, as POLICY:LIMIT".to_owned()),
            (limits, Some(name)) => limits
                .iter()
                .find(|limit| policy.has_named_limits && limit.name == name)
                .map(|limit| limit.limit)
                .ok_or_else(|| {
                    let limits = limits.iter().map(|limit| &*limit.name);
                    let names = limits.filter(|_| policy.has_named_limits);
                    near::missing("no limit of the policy has this name", name, names)
                }),
        }
    }
}

/// The first 8 bytes of the SHA-256, in hex.
fn short_hash(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..8])
}

#[cfg(test)]
mod tests;
