//! Flags that the front and the tools share: the login to Redis, TLS, and numbers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rl_bucket::{Capacity, Cost, Invalid, Rate};
use rl_store::redis::{
    EngineChoice, PasswordSource, RedisAddress, RedisOptions, RedisSettings, SettingsError, Verify,
};

/// Flags for the login to Redis and for TLS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Login to Redis and TLS")]
pub struct RedisArgs {
    /// File with the Redis password in its first line
    ///
    /// It is read for each new connection; a front also looks at it once a second, unless it reloads
    /// files on SIGHUP only.
    #[arg(long, env = "RL_REDIS_PASSWORD_FILE", value_name = "FILE")]
    redis_password_file: Option<PathBuf>,

    /// Log in by IAM instead of a password, with access tokens of this process's service account
    #[arg(long, env = "RL_REDIS_IAM", value_name = "CLOUD", value_enum)]
    #[arg(conflicts_with = "redis_password_file")]
    redis_iam: Option<Cloud>,

    /// File with the Sentinels' password in its first line
    #[arg(long, env = "RL_SENTINEL_PASSWORD_FILE", value_name = "FILE")]
    sentinel_password_file: Option<PathBuf>,

    /// Certificates (PEM) to trust instead of the public authorities; for rediss://
    #[arg(long, env = "RL_REDIS_CA", value_name = "FILE")]
    redis_ca: Option<PathBuf>,

    /// What to verify of the server's certificate [default: full]
    #[arg(long, env = "RL_REDIS_VERIFY", value_name = "WHAT", value_enum)]
    redis_verify: Option<VerifyFlag>,

    /// Client certificate (PEM), for servers that require one
    #[arg(long, env = "RL_REDIS_CERT", value_name = "FILE", requires = "redis_key")]
    redis_cert: Option<PathBuf>,

    /// Private key (PEM) for --redis-cert
    #[arg(long, env = "RL_REDIS_KEY", value_name = "FILE", requires = "redis_cert")]
    redis_key: Option<PathBuf>,
}

/// A value of `--redis-iam`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cloud {
    /// Google Cloud: tokens from the metadata server
    Google,
}

/// A value of `--redis-verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VerifyFlag {
    /// Its chain to a trusted certificate, and the host name or IP address in --store
    Full,
    /// Its chain only, for managed servers whose certificate names another host; needs --redis-ca
    Ca,
}

/// A value of `--engine`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineFlag {
    /// The module if Redis has it, else the Lua scripts
    #[default]
    Auto,
    /// The module only
    Module,
    /// The Lua scripts only
    Lua,
}

// === impl RedisArgs ===

impl RedisArgs {
    /// Joins the flags with an address and reads the files once. The error names the flag or file.
    pub fn settings(&self, address: RedisAddress) -> Result<RedisSettings, String> {
        let password = match (self.redis_iam, &self.redis_password_file) {
            (Some(Cloud::Google), _) => PasswordSource::Google,
            (None, Some(file)) => PasswordSource::File(file.clone()),
            (None, None) => PasswordSource::Address,
        };
        let options = RedisOptions {
            password,
            sentinel_password_file: self.sentinel_password_file.clone(),
            ca: self.redis_ca.clone(),
            verify: self.redis_verify.map(|verify| match verify {
                VerifyFlag::Full => Verify::Full,
                VerifyFlag::Ca => Verify::Ca,
            }),
            identity: self.redis_cert.clone().zip(self.redis_key.clone()),
        };
        RedisSettings::new(address, options).map_err(|error| match error {
            SettingsError::TlsOptionsWithoutTls => {
                "--redis-ca, --redis-verify and --redis-cert need a rediss:// store".to_owned()
            }
            SettingsError::VerifyCaWithoutCa => {
                "--redis-verify ca needs --redis-ca: otherwise any certificate of a public \
                 authority would pass"
                    .to_owned()
            }
            SettingsError::TokensWithoutTls => {
                "--redis-iam needs a rediss:// store: a token gives access to more than this one"
                    .to_owned()
            }
            SettingsError::TokensAndPassword => {
                "--redis-iam cannot be used with a password in --store".to_owned()
            }
            SettingsError::File(text) => text,
        })
    }
}

// === impl EngineFlag ===

impl From<EngineFlag> for EngineChoice {
    fn from(flag: EngineFlag) -> Self {
        match flag {
            EngineFlag::Auto => Self::Auto,
            EngineFlag::Module => Self::Module,
            EngineFlag::Lua => Self::Lua,
        }
    }
}

// === parsers ===

/// Parses a cost.
pub fn cost(text: &str) -> Result<Cost, Invalid> {
    Cost::parse(text.as_bytes())
}

/// Parses a capacity.
pub fn capacity(text: &str) -> Result<Capacity, Invalid> {
    Capacity::parse(text.as_bytes())
}

/// Parses a rate.
pub fn rate(text: &str) -> Result<Rate, Invalid> {
    Rate::parse(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rl_store::redis::{RedisAddress, RedisSettings};

    use super::RedisArgs;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RedisArgs,
    }

    fn settings(store: &str, args: &[&str]) -> Result<RedisSettings, String> {
        let line = Line::try_parse_from([&["rl"], args].concat()).map_err(|e| e.to_string())?;
        line.args.settings(RedisAddress::parse(store)?)
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for (store, args, reason) in [
            ("redis://h", &["--redis-ca", "f"][..], "need a rediss:// store"),
            ("redis://h", &["--redis-verify", "full"], "need a rediss:// store"),
            ("rediss://h", &["--redis-verify", "ca"], "needs --redis-ca"),
            ("rediss://h", &["--redis-cert", "f"], "--redis-key <FILE>"),
            ("rediss://h", &["--redis-ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
            ("redis://h", &["--redis-password-file", "/nowhere/word"], "/nowhere/word"),
            ("redis://h", &["--redis-iam", "google"], "needs a rediss:// store"),
            ("rediss://:p@h", &["--redis-iam", "google"], "with a password in --store"),
            (
                "rediss://h",
                &["--redis-iam", "google", "--redis-password-file", "f"],
                "cannot be used",
            ),
        ] {
            let error = settings(store, args).unwrap_err();
            assert!(error.contains(reason), "{args:?}: {error}");
        }
    }
}
