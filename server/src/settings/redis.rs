//! How to log in to Redis, and whom to believe that it is Redis.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};

use super::address::RedisAddress;
use crate::store::redis::{Google, Tls};

/// Flags about the way to Redis.
#[derive(Args, Clone, Debug, Default)]
pub struct RedisArgs {
    /// Password for Redis: the first line of this file, which is read for each new connection and, but for --reload signal, once a second
    #[arg(long, env = "RL_REDIS_PASSWORD_FILE", value_name = "FILE")]
    redis_password_file: Option<PathBuf>,

    /// Log in by IAM, in place of a password: with access tokens of the service account that this runs as
    #[arg(long, env = "RL_REDIS_IAM", value_name = "CLOUD", value_enum)]
    #[arg(conflicts_with = "redis_password_file")]
    redis_iam: Option<Cloud>,

    /// Password for the Sentinels, in a file too
    #[arg(long, env = "RL_SENTINEL_PASSWORD_FILE", value_name = "FILE")]
    sentinel_password_file: Option<PathBuf>,

    /// With rediss://: certificates (PEM) to trust in place of the public ones
    #[arg(long, env = "RL_REDIS_CA", value_name = "FILE")]
    redis_ca: Option<PathBuf>,

    /// What the server's certificate must show [default: full]
    #[arg(long, env = "RL_REDIS_VERIFY", value_name = "WHAT", value_enum)]
    redis_verify: Option<Verify>,

    /// This side's certificate (PEM), for servers that ask for one
    #[arg(long, env = "RL_REDIS_CERT", value_name = "FILE", requires = "redis_key")]
    redis_cert: Option<PathBuf>,

    /// And its private key (PEM)
    #[arg(long, env = "RL_REDIS_KEY", value_name = "FILE", requires = "redis_cert")]
    redis_key: Option<PathBuf>,
}

/// Whose service accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cloud {
    /// Google's: the metadata server has the tokens
    Google,
}

/// What the server's certificate must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// A chain to a trusted certificate, and the name or IP address in --store
    #[default]
    Full,
    /// The chain alone, for managed servers whose certificate names something else: give --redis-ca
    Ca,
}

/// A Redis, and the way to it. `Debug` shows no secret.
#[derive(Clone)]
pub struct RedisSettings {
    /// Which servers.
    pub address: RedisAddress,
    /// How they prove who they are; `None`: no TLS.
    pub tls: Option<TlsSettings>,
    /// How to prove who we are.
    password: Password,
    /// And to the Sentinels.
    sentinel_password_file: Option<PathBuf>,
    /// Whether a password that changes is to be noticed within a second, and not only with the next connection.
    pub watches_password: bool,
}

/// Where the password is.
#[derive(Clone, Debug)]
enum Password {
    /// In the address, if there is one.
    Address,
    File(PathBuf),
    Google(Arc<Google>),
}

/// Files for TLS, which are read for each new connection: certificates are renewed.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Whom to trust; `None`: the public authorities.
    pub ca: Option<PathBuf>,
    /// What to ask of the server's certificate.
    pub verify: Verify,
    /// Certificate and key of this side.
    pub identity: Option<(PathBuf, PathBuf)>,
}

// === impl RedisSettings ===

impl RedisSettings {
    /// Puts flags and address together, and looks at the files.
    pub fn new(address: RedisAddress, args: &RedisArgs) -> Result<Self, String> {
        let of_tls =
            args.redis_ca.is_some() || args.redis_verify.is_some() || args.redis_cert.is_some();
        if of_tls && !address.tls {
            return Err(
                "--redis-ca, --redis-verify and --redis-cert are for rediss:// stores".to_owned()
            );
        }
        if args.redis_verify == Some(Verify::Ca) && args.redis_ca.is_none() {
            return Err(
                "--redis-verify ca needs --redis-ca: any server has a certificate that a public \
                        authority signed"
                    .to_owned(),
            );
        }
        if args.redis_iam.is_some() && !address.tls {
            return Err("--redis-iam is for rediss:// stores: a token opens more than one of them"
                .to_owned());
        }
        if args.redis_iam.is_some() && address.password.is_some() {
            return Err("--redis-iam is for stores without a password in --store".to_owned());
        }
        let password = match (args.redis_iam, &args.redis_password_file) {
            (Some(Cloud::Google), _) => Password::Google(Arc::new(Google::from_env())),
            (None, Some(file)) => Password::File(file.clone()),
            (None, None) => Password::Address,
        };
        let tls = address.tls.then(|| TlsSettings {
            ca: args.redis_ca.clone(),
            verify: args.redis_verify.unwrap_or_default(),
            identity: args.redis_cert.clone().zip(args.redis_key.clone()),
        });
        let settings = Self {
            address,
            tls,
            // A token that has expired is no reason to connect anew.
            watches_password: matches!(password, Password::File(_)),
            password,
            sentinel_password_file: args.sentinel_password_file.clone(),
        };
        settings.tls.as_ref().map(Tls::read).transpose()?;
        // Not a token: the network may be coming up.
        if let Password::File(_) = settings.password {
            settings.password()?;
        }
        settings.sentinel_password()?;
        Ok(settings)
    }

    /// The password as it is now. It may wait, for a disk or for the network.
    pub fn password(&self) -> Result<Option<String>, String> {
        match &self.password {
            Password::Address => Ok(self.address.password.clone()),
            Password::File(file) => first_line(file).map(Some),
            Password::Google(google) => google.token().map(Some),
        }
    }

    /// The server has refused it: it is not to be remembered.
    pub fn password_refused(&self) {
        if let Password::Google(google) = &self.password {
            google.forget();
        }
    }

    /// That of the Sentinels.
    pub fn sentinel_password(&self) -> Result<Option<String>, String> {
        self.sentinel_password_file.as_deref().map(first_line).transpose()
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What is before the first end of line, since editors put one; the error names the file.
fn first_line(file: &Path) -> Result<String, String> {
    let line = fs::read_to_string(file).and_then(|text| match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(io::Error::other("its first line is empty")),
    });
    line.map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use clap::Parser;

    use super::{RedisArgs, RedisSettings};
    use crate::settings::StoreAddress;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: RedisArgs,
    }

    fn settings(store: &str, args: &[&str]) -> Result<RedisSettings, String> {
        let line = Line::try_parse_from([&["rl"], args].concat()).map_err(|e| e.to_string())?;
        match StoreAddress::parse(store)? {
            StoreAddress::Redis(address) => RedisSettings::new(address, &line.args),
            StoreAddress::Memory => panic!("not a Redis"),
        }
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file_as_it_is_now() {
        let file = env::temp_dir().join(format!("rl-password-{}", process::id()));
        fs::write(&file, "hunter2\nanother line\n").unwrap();
        let path = file.to_str().unwrap();
        let read = settings("redis://:other@h", &["--redis-password-file", path]).unwrap();
        assert_eq!(read.password().unwrap().as_deref(), Some("hunter2"));
        assert!(!format!("{read:?}").contains("hunter2"));
        fs::write(&file, "rotated").unwrap();
        assert_eq!(read.password().unwrap().as_deref(), Some("rotated"));
        fs::write(&file, "\n").unwrap();
        assert!(read.password().unwrap_err().contains("its first line is empty"));
        fs::remove_file(&file).unwrap();
        assert!(read.password().unwrap_err().contains(path));
        let plain = settings("redis://:other@h", &[]).unwrap();
        assert_eq!(plain.password().unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn what_does_not_go_together() {
        for (store, args, reason) in [
            ("redis://h", &["--redis-ca", "f"][..], "are for rediss:// stores"),
            ("redis://h", &["--redis-verify", "full"], "are for rediss:// stores"),
            ("rediss://h", &["--redis-verify", "ca"], "needs --redis-ca"),
            ("rediss://h", &["--redis-cert", "f"], "--redis-key <FILE>"),
            ("rediss://h", &["--redis-ca", "/nowhere/ca.pem"], "/nowhere/ca.pem"),
            ("redis://h", &["--redis-password-file", "/nowhere/word"], "/nowhere/word"),
            ("redis://h", &["--redis-iam", "google"], "is for rediss:// stores"),
            ("rediss://:p@h", &["--redis-iam", "google"], "without a password in --store"),
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
