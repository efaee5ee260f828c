//! The key and policy that name a bucket.

use std::path::PathBuf;

use rl_store::{
    MAX_KEY,
    bucket_key::{DEFAULT_POLICY, Pseudonyms, bucket_key},
};

use crate::{error::ToolError, target::CheckBody};

/// The arguments that name a key's buckets.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Bucket")]
pub(crate) struct KeyArgs {
    /// Key to limit, such as user:42
    key: String,

    /// Policy of the limits [default: default]
    ///
    /// With --store it names the bucket: POLICY:LIMIT for one of several limits, `inline` for inline
    /// limits.
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,

    /// With --store: take KEY as the Redis key itself, as RL.CHECK does
    #[arg(long, requires = "store", conflicts_with = "policy")]
    raw: bool,

    /// With --store: secret file of the fronts, if they replace keys by pseudonyms
    /// [env: RL_KEY_SECRET_FILE=]
    // The variable is read in `bucket_key`: for clap, one that is set would conflict with --raw.
    #[arg(long, value_name = "FILE", requires = "store", conflicts_with = "raw")]
    key_secret_file: Option<PathBuf>,
}

// === impl KeyArgs ===

impl KeyArgs {
    /// The body of a request to a front.
    pub(crate) fn body(&self) -> CheckBody<'_> {
        CheckBody { key: &self.key, policy: self.policy.as_deref(), ..CheckBody::default() }
    }

    /// The bucket key in Redis. `lookup` reads environment variables.
    pub(crate) fn bucket_key(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<u8>, ToolError> {
        if self.raw {
            return Ok(self.key.clone().into_bytes());
        }
        let variable = || lookup("RL_KEY_SECRET_FILE").filter(|file| !file.trim().is_empty());
        let pseudonyms =
            match self.key_secret_file.clone().or_else(|| variable().map(PathBuf::from)) {
                Some(file) => Pseudonyms::read(&file)
                    .map_err(|error| ToolError::usage(format!("--key-secret-file {error}")))?,
                None => Pseudonyms::plain(),
            };
        let policy = self.policy.as_deref().unwrap_or(DEFAULT_POLICY);
        valid_bucket_key(&pseudonyms, &self.key, policy)
    }
}

/// The bucket key of `key` under `policy`, which may also be `POLICY:LIMIT`, if both are valid.
pub(crate) fn valid_bucket_key(
    pseudonyms: &Pseudonyms,
    key: &str,
    policy: &str,
) -> Result<Vec<u8>, ToolError> {
    if !(1..=MAX_KEY).contains(&key.len()) {
        return Err(ToolError::usage("key must be 1 to 1024 bytes long"));
    }
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    if policy.is_empty() || !policy.bytes().all(is_valid) {
        return Err(ToolError::usage(
            "policy must be a name of letters, digits, '.', '_' and '-', or POLICY:LIMIT",
        ));
    }
    Ok(bucket_key(&pseudonyms.of(key), policy, None))
}

#[cfg(test)]
mod tests {
    use rl_store::bucket_key::Pseudonyms;

    use super::valid_bucket_key;

    #[test]
    fn bucket_keys_are_those_of_a_front() {
        let long = "k".repeat(1025);
        for (key, policy, expected) in [
            ("user:42", "default", Some("rl:{user:42}:default")),
            ("}", "inline", Some("rl::{:}}:inline")),
            ("k", "api:per-day_2.0", Some("rl:{k}:api:per-day_2.0")),
            ("", "default", None),
            (&long, "default", None),
            ("k", "", None),
            ("k", "x}:y", None),
            ("k", "é", None),
        ] {
            let bucket_key = valid_bucket_key(&Pseudonyms::plain(), key, policy);
            let found = bucket_key.as_deref().ok();
            assert_eq!(found, expected.map(str::as_bytes), "{key} {policy}");
            assert!(bucket_key.is_ok() || bucket_key.is_err_and(|error| error.exit_code() == 2));
        }
    }
}
