//! Settings of a Redis store: its address, the login, and TLS.

use std::{
    error, fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    address::RedisAddress,
    google::GoogleTokens,
    resp::tls::{TlsConfig, TlsSettings, Verify},
};
use crate::file::{self, FileReader};

/// Options of a Redis store beside its address. The default: the password in the address, if there
/// is one, and the public certificate authorities.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// The password for Redis.
    pub password: PasswordSource,
    /// The file with the password for the Sentinels.
    pub sentinel_password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in place of the public authorities.
    pub ca: Option<PathBuf>,
    /// The proof that the server's certificate must give; `None`: [`Verify::Full`].
    pub verify: Option<Verify>,
    /// Certificate and private key (PEM) to present to servers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The source of the password for Redis.
#[derive(Clone, Debug, Default)]
pub enum PasswordSource {
    /// The address, if it has one.
    #[default]
    Address,
    /// The first line of a file, read for each new connection.
    File(PathBuf),
    /// Access tokens of the Google service account that this process runs as.
    Google,
}

/// The checked settings of a Redis store. `Debug` shows no secret.
#[derive(Clone)]
pub struct RedisSettings {
    /// The servers.
    pub address: RedisAddress,
    /// The TLS settings; `None`: no TLS.
    pub tls: Option<TlsSettings>,
    /// Reads the files again.
    pub(super) reader: FileReader,
    password: Password,
    sentinel_password_file: Option<PathBuf>,
    /// Whether a changed password is noticed within a second, and not only by the next connection.
    pub watches_password: bool,
}

#[derive(Clone, Debug)]
enum Password {
    Address,
    File(PathBuf),
    Google(Arc<GoogleTokens>),
}

/// Options that contradict each other or the address, or a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// Options for TLS, and an address without it.
    TlsOptionsWithoutTls,
    /// [`Verify::Ca`] without certificates to trust.
    VerifyCaWithoutCa,
    /// Access tokens, and an address without TLS.
    TokensWithoutTls,
    /// Access tokens, and an address with a password.
    TokensAndPassword,
    /// A file is missing or bad. The text names it.
    File(String),
}

// === impl RedisSettings ===

impl RedisSettings {
    /// Checks the options against the address, and reads the files once.
    pub fn new(address: RedisAddress, options: RedisOptions) -> Result<Self, SettingsError> {
        let RedisOptions { password, sentinel_password_file, ca, verify, identity } = options;
        let has_tls_options = ca.is_some() || verify.is_some() || identity.is_some();
        if has_tls_options && !address.tls {
            return Err(SettingsError::TlsOptionsWithoutTls);
        }
        if verify == Some(Verify::Ca) && ca.is_none() {
            return Err(SettingsError::VerifyCaWithoutCa);
        }
        let password = match password {
            PasswordSource::Address => Password::Address,
            PasswordSource::File(file) => Password::File(file),
            PasswordSource::Google if !address.tls => return Err(SettingsError::TokensWithoutTls),
            PasswordSource::Google if address.password.is_some() => {
                return Err(SettingsError::TokensAndPassword);
            }
            PasswordSource::Google => Password::Google(Arc::new(GoogleTokens::from_env())),
        };
        let verify = verify.unwrap_or_default();
        let settings = Self {
            tls: address.tls.then_some(TlsSettings { ca, verify, identity }),
            address,
            reader: FileReader::new(),
            // A token that has expired is no reason to reconnect.
            watches_password: matches!(password, Password::File(_)),
            password,
            sentinel_password_file,
        };
        settings.tls.as_ref().map(TlsConfig::read).transpose().map_err(SettingsError::File)?;
        // No token is fetched: the network may still be coming up.
        if let Password::File(_) = settings.password {
            settings.password().map_err(SettingsError::File)?;
        }
        settings.sentinel_password().map_err(SettingsError::File)?;
        Ok(settings)
    }

    /// The password as it is now. It may block, on a disk or on the network.
    pub fn password(&self) -> Result<Option<String>, String> {
        match &self.password {
            Password::Address => Ok(self.address.password.clone()),
            Password::File(file) => first_line(file).map(Some),
            Password::Google(tokens) => tokens.token().map(Some),
        }
    }

    /// Forgets a token that the server has refused; the next login fetches another.
    pub(super) fn forget_token(&self) {
        if let Password::Google(tokens) = &self.password {
            tokens.forget();
        }
    }

    /// The password for the Sentinels. It may block.
    pub(super) fn sentinel_password(&self) -> Result<Option<String>, String> {
        self.sentinel_password_file.as_deref().map(first_line).transpose()
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Far more than a password or an access token is long.
const MAX_SIZE: u64 = 64 << 10;

/// The text before the first line break, which editors add. The error names the file.
fn first_line(file: &Path) -> Result<String, String> {
    let failed = |reason: &dyn fmt::Display| format!("{}: {reason}", file.display());
    let content = file::read(file, MAX_SIZE).map_err(|error| failed(&error))?;
    let text = str::from_utf8(&content).map_err(|_| failed(&"it must be UTF-8"))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(failed(&"its first line is empty")),
    }
}

// === impl SettingsError ===

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsOptionsWithoutTls => "options for TLS need a rediss:// address",
            Self::VerifyCaWithoutCa => {
                "without the server's name, certificates to trust are needed: any server has a \
                 certificate that a public authority signed"
            }
            Self::TokensWithoutTls => {
                "access tokens need a rediss:// address: a token opens more than one store"
            }
            Self::TokensAndPassword => "access tokens need an address without a password",
            Self::File(text) => text,
        })
    }
}

impl error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{PasswordSource, RedisAddress, RedisOptions, RedisSettings, SettingsError, Verify};

    fn settings(store: &str, options: RedisOptions) -> Result<RedisSettings, SettingsError> {
        RedisSettings::new(RedisAddress::parse(store).unwrap(), options)
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file_as_it_is_now() {
        let file = env::temp_dir().join(format!("rl-password-{}", process::id()));
        fs::write(&file, "hunter2\nanother line\n").unwrap();
        let password = PasswordSource::File(file.clone());
        let options = RedisOptions { password, ..RedisOptions::default() };
        let read = settings("redis://:other@h", options).unwrap();
        assert_eq!(read.password().unwrap().as_deref(), Some("hunter2"));
        assert!(!format!("{read:?}").contains("hunter2"));
        fs::write(&file, "rotated").unwrap();
        assert_eq!(read.password().unwrap().as_deref(), Some("rotated"));
        fs::write(&file, "\n").unwrap();
        assert!(read.password().unwrap_err().contains("its first line is empty"));
        fs::remove_file(&file).unwrap();
        assert!(read.password().unwrap_err().contains(file.to_str().unwrap()));
        let plain = settings("redis://:other@h", RedisOptions::default()).unwrap();
        assert_eq!(plain.password().unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn options_that_contradict_the_address_are_refused() {
        let none = RedisOptions::default;
        let google = || RedisOptions { password: PasswordSource::Google, ..none() };
        let verify = |verify| RedisOptions { verify: Some(verify), ..none() };
        for (store, options, expected) in [
            (
                "redis://h",
                RedisOptions { ca: Some("f".into()), ..none() },
                SettingsError::TlsOptionsWithoutTls,
            ),
            ("redis://h", verify(Verify::Full), SettingsError::TlsOptionsWithoutTls),
            ("rediss://h", verify(Verify::Ca), SettingsError::VerifyCaWithoutCa),
            ("redis://h", google(), SettingsError::TokensWithoutTls),
            ("rediss://:p@h", google(), SettingsError::TokensAndPassword),
        ] {
            assert_eq!(settings(store, options).unwrap_err(), expected, "{store}");
        }
    }

    #[test]
    fn an_error_names_the_file_it_is_about() {
        let none = RedisOptions::default;
        let ca = RedisOptions { ca: Some("/nowhere/ca.pem".into()), ..none() };
        let error = settings("rediss://h", ca).unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
        let password = PasswordSource::File("/nowhere/word".into());
        let error = settings("redis://h", RedisOptions { password, ..none() }).unwrap_err();
        assert!(error.to_string().contains("/nowhere/word"), "{error}");
    }

    #[test]
    fn files_that_never_end_are_refused() {
        let none = RedisOptions::default;
        let zero = || "/dev/zero".into();
        let password = RedisOptions { password: PasswordSource::File(zero()), ..none() };
        let sentinel = RedisOptions { sentinel_password_file: Some(zero()), ..none() };
        let ca = RedisOptions { ca: Some(zero()), ..none() };
        let identity = RedisOptions { identity: Some((zero(), zero())), ..none() };
        for (store, options) in [
            ("redis://h", password),
            ("redis+sentinel://h/main", sentinel),
            ("rediss://h", ca),
            ("rediss://h", identity),
        ] {
            let error = settings(store, options).unwrap_err().to_string();
            assert!(error.starts_with("/dev/zero: it must be a regular file"), "{store}: {error}");
        }
    }
}
