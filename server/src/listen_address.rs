//! Where a front listens: an address and port, a Unix socket, or a socket that systemd passes on.

use std::{fmt, path::PathBuf};

/// The value of `--listen` and `--admin-listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// `HOST:PORT`.
    Tcp(String),
    /// `unix:/PATH`, or `unix:/PATH,mode=OCTAL`.
    Unix(UnixAddress),
    /// `systemd`, or `systemd:NAME`.
    Systemd {
        /// The socket's `FileDescriptorName=`; `None`: there is one socket.
        name: Option<String>,
    },
}

/// The path of a Unix socket, and who may connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixAddress {
    /// An absolute path that fits into a socket address.
    pub path: PathBuf,
    /// The permissions of the file.
    pub mode: u32,
}

/// The permissions if none are given: the user and the group may connect.
const MODE: u32 = 0o660;
/// The most bytes of a path: `sun_path` has 108, with a zero at the end (unix(7)).
const MAX_PATH: usize = 107;

// === impl ListenAddress ===

impl ListenAddress {
    /// Parses the value of a flag.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "systemd" {
            return Ok(Self::Systemd { name: None });
        }
        if let Some(name) = text.strip_prefix("systemd:").filter(|name| !name.is_empty()) {
            return Ok(Self::Systemd { name: Some(name.to_owned()) });
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return UnixAddress::parse(path).map(Self::Unix);
        }
        if text.starts_with('/') {
            return Err(format!("a Unix socket is written unix:{text}"));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err("the address must be HOST:PORT, such as 127.0.0.1:8080, or unix:/PATH, or \
                      systemd"
                .to_owned()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(address) => write!(f, "unix:{}", address.path.display()),
            Self::Systemd { name: None } => f.write_str("systemd"),
            Self::Systemd { name: Some(name) } => write!(f, "systemd:{name}"),
        }
    }
}

// === impl UnixAddress ===

impl UnixAddress {
    /// Parses what follows `unix:`.
    fn parse(text: &str) -> Result<Self, String> {
        let (path, mode) = match text.rsplit_once(",mode=") {
            Some((path, mode)) => (path, permissions(mode)?),
            None => (text, MODE),
        };
        if path.starts_with('@') {
            return Err("an abstract socket (unix:@NAME) has no permissions: any user could \
                        connect; use unix:/PATH"
                .to_owned());
        }
        if !path.starts_with('/') {
            return Err("the path of a Unix socket must begin with /, as in unix:/run/rl/rl.sock"
                .to_owned());
        }
        // `unix:///run/rl.sock`, as Docker and URLs write it, is the same path.
        let path = format!("/{}", path.trim_start_matches('/'));
        if path.ends_with('/') {
            return Err("the path of a Unix socket must name a file".to_owned());
        }
        if path.len() > MAX_PATH {
            return Err(format!(
                "the path of a Unix socket has at most {MAX_PATH} bytes, this one {}",
                path.len()
            ));
        }
        Ok(Self { path: path.into(), mode })
    }
}

fn permissions(text: &str) -> Result<u32, String> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit());
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.ok_or_else(|| "the mode of a Unix socket must be octal, such as 660 or 0660".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{ListenAddress, UnixAddress};

    #[test]
    fn addresses_of_every_kind() {
        let unix = |path: &str, mode| ListenAddress::Unix(UnixAddress { path: path.into(), mode });
        let systemd = |name: Option<&str>| ListenAddress::Systemd { name: name.map(str::to_owned) };
        for (text, expected, shown) in [
            ("[::1]:0", ListenAddress::Tcp("[::1]:0".to_owned()), "[::1]:0"),
            ("unix:/run/rl.sock", unix("/run/rl.sock", 0o660), "unix:/run/rl.sock"),
            ("unix:/a,b.sock,mode=600", unix("/a,b.sock", 0o600), "unix:/a,b.sock"),
            ("unix:///run/rl.sock,mode=0666", unix("/run/rl.sock", 0o666), "unix:/run/rl.sock"),
            ("systemd", systemd(None), "systemd"),
            ("systemd:admin", systemd(Some("admin")), "systemd:admin"),
        ] {
            let address = ListenAddress::parse(text).expect(text);
            assert_eq!(address, expected, "{text}");
            assert_eq!(address.to_string(), shown, "{text}");
        }
        assert!(ListenAddress::parse(&format!("unix:/{}", "x".repeat(106))).is_ok());
    }

    #[test]
    fn errors_name_the_rule() {
        let long = format!("unix:/{}", "x".repeat(107));
        for (text, reason) in [
            ("8080", "the address must be HOST:PORT"),
            (":8080", "the address must be HOST:PORT"),
            ("systemd:", "the address must be HOST:PORT"),
            ("/run/rl.sock", "a Unix socket is written unix:/run/rl.sock"),
            ("unix:", "must begin with /"),
            ("unix:rl.sock", "must begin with /"),
            ("unix:/", "must name a file"),
            ("unix:/run/", "must name a file"),
            ("unix:@rl", "an abstract socket"),
            ("unix:/a,mode=", "must be octal"),
            ("unix:/a,mode=+66", "must be octal"),
            ("unix:/a,mode=888", "must be octal"),
            ("unix:/a,mode=1777", "must be octal"),
            ("unix:/a,mode=rw", "must be octal"),
            (&long, "has at most 107 bytes, this one 108"),
        ] {
            let error = ListenAddress::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
