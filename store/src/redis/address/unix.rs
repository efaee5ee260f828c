//! Addresses of Unix sockets: `redis+unix://[user:password@]/path[?db=N]`.

use std::{
    fmt,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use redis::{ConnectionAddr, IntoConnectionInfo};

/// The parts of an address.
pub(super) struct UnixAddress<'a> {
    /// `USER:PASSWORD@`, still encoded; or nothing.
    pub(super) login: &'a str,
    pub(super) path: PathBuf,
    pub(super) db: i64,
}

/// The error for a Unix socket in another form than this one.
pub(super) const OTHER_FORM: &str = "is not an address: a Unix socket is written \
                                     redis+unix:///run/redis/redis.sock";
/// The error for an address with TLS.
pub(super) const NO_TLS: &str =
    "uses TLS, which no Redis speaks over a Unix socket: write redis+unix://";
/// The error for an address of another form.
pub(super) const FORM: &str = "is not a valid redis+unix:// address: write \
                               redis+unix://[user:password@]/path[?db=N]";
/// The most bytes of a path: `sun_path` has 108, with a zero at the end (unix(7)).
const MAX_PATH: usize = 107;

/// Whether a text that is no address looks like a Unix socket in another form.
pub(super) fn is_meant(text: &str) -> bool {
    ["/", ".", "unix:", "redis+socket:", "redis-socket:", "valkey+unix:"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Parses what follows `redis+unix://`.
pub(super) fn parse(rest: &str) -> Result<UnixAddress<'_>, String> {
    if rest.contains('#') {
        return Err(invalid("it has no fragment: a # in the path is %23"));
    }
    let (rest, db) = match rest.split_once('?') {
        Some((rest, query)) => (rest, db(query)?),
        None => (rest, 0),
    };
    let Some((login, path)) = rest.split_once('/') else {
        return Err(invalid("its path is missing or does not begin with /"));
    };
    if !login.is_empty() && !login.ends_with('@') {
        return Err(invalid("its path does not begin with /, or a host comes before it"));
    }
    Ok(UnixAddress { login, path: socket(path)?, db })
}

/// Writes an address that is to be read by [`parse`], behind its `redis`.
pub(super) fn write(f: &mut fmt::Formatter<'_>, path: &Path, db: i64) -> fmt::Result {
    f.write_str("+unix://")?;
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' | b'~' | b'@' => write!(f, "{}", char::from(*byte))?,
            byte if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(*byte))?,
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    if db == 0 { Ok(()) } else { write!(f, "?db={db}") }
}

/// The percent-decoded path, without its first slash.
fn socket(path: &str) -> Result<PathBuf, String> {
    if path.is_empty() || path.ends_with('/') {
        return Err(invalid("its path names no file"));
    }
    let info = format!("redis+unix:///{path}").into_connection_info();
    let info = info.map_err(|_| invalid("its path cannot be read"))?;
    let ConnectionAddr::Unix(path) = info.addr() else { return Err(invalid("it has no path")) };
    match path.as_os_str().as_bytes() {
        bytes if bytes.contains(&0) => Err(invalid("its path has a zero byte")),
        bytes if bytes.len() > MAX_PATH => Err(invalid(&format!(
            "its path has {} bytes, and that of a socket at most {MAX_PATH}",
            bytes.len()
        ))),
        _ => Ok(path.clone()),
    }
}

/// The database in a query.
fn db(query: &str) -> Result<i64, String> {
    let number = query.strip_prefix("db=").and_then(|db| db.parse::<u32>().ok());
    number.map(i64::from).ok_or_else(|| invalid("?db=N is its only parameter"))
}

fn invalid(reason: &str) -> String {
    format!("{FORM}, with special characters percent-encoded ({reason})")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::redis::address::{RedisAddress, Server, Topology};

    #[test]
    fn a_path_with_login_and_database() {
        for (text, path, login, db) in [
            ("redis+unix:///run/redis/redis.sock", "/run/redis/redis.sock", (None, None), 0),
            ("redis+unix:///r.sock?db=2", "/r.sock", (None, None), 2),
            ("redis+unix://@/r.sock", "/r.sock", (None, None), 0),
            ("redis+unix://:p%2Fw%40d@/a@b.sock", "/a@b.sock", (None, Some("p/w@d")), 0),
            ("redis+unix://u:p@/a%20b%25%3F%C3%A9?db=0", "/a b%?é", (Some("u"), Some("p")), 0),
            ("redis+unix:////run//r.sock", "//run//r.sock", (None, None), 0),
        ] {
            let address = RedisAddress::parse(text).expect(text);
            assert_eq!(address.topology, Topology::Single(Server::Unix(path.into())), "{text}");
            assert_eq!((address.user.as_deref(), address.password.as_deref()), login, "{text}");
            assert_eq!((address.db, address.tls), (db, false), "{text}");
            let again = RedisAddress::parse(&address.to_string()).expect("what is shown is valid");
            assert_eq!((again.topology, again.db), (address.topology, db), "{text}");
        }
        let longest = format!("redis+unix:///{}", "x".repeat(106));
        assert!(RedisAddress::parse(&longest).is_ok());
    }

    #[test]
    fn an_address_shows_no_login() {
        let address = RedisAddress::parse("redis+unix://u:hunter2@/run/a b.sock?db=3").unwrap();
        assert_eq!(address.to_string(), "redis+unix:///run/a%20b.sock?db=3");
        assert_eq!(format!("{address:?}"), address.to_string());
        let Topology::Single(server) = address.topology else { panic!("one server") };
        assert_eq!(server.to_string(), Path::new("/run/a b.sock").to_string_lossy());
    }

    #[test]
    fn refused_with_the_right_form_and_without_secrets() {
        let long = format!("redis+unix:///{}", "hunter2".repeat(16));
        for (text, reason) in [
            ("unix:///run/hunter2", "a Unix socket is written redis+unix:///run/redis/redis.sock"),
            ("unix:/run/hunter2", "a Unix socket is written redis+unix://"),
            ("/run/hunter2.sock", "a Unix socket is written redis+unix://"),
            ("./hunter2.sock", "a Unix socket is written redis+unix://"),
            ("redis-socket:///hunter2", "a Unix socket is written redis+unix://"),
            ("rediss+unix:///run/hunter2", "no Redis speaks over a Unix socket"),
            ("redis+unix://", "its path is missing or does not begin with /"),
            ("redis+unix://hunter2.sock", "its path is missing or does not begin with /"),
            ("redis+unix://run/hunter2", "does not begin with /, or a host comes before it"),
            ("redis+unix://u:hunter2@localhost/r.sock", "or a host comes before it"),
            ("redis+unix:///", "its path names no file"),
            ("redis+unix:///run/hunter2/", "its path names no file"),
            ("redis+unix:///run/hunter2%00", "its path has a zero byte"),
            (&long, "its path has 113 bytes, and that of a socket at most 107"),
            ("redis+unix:///run/hunter2?db=one", "?db=N is its only parameter"),
            ("redis+unix:///run/r?db=-1", "?db=N is its only parameter"),
            ("redis+unix:///run/r?db=1&pass=hunter2", "?db=N is its only parameter"),
            ("redis+unix:///run/r?password=hunter2", "redis+unix://[user:password@]/path[?db=N]"),
            ("redis+unix:///run/r#hunter2", "a # in the path is %23"),
        ] {
            let error = RedisAddress::parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
