//! Addresses of stores, which never show a password.

mod unix;

use std::{fmt, path::PathBuf};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// The address of a store. Neither `Debug` nor `Display` shows user or password.
#[derive(Clone)]
pub enum StoreAddress {
    /// In this process.
    Memory,
    /// In Redis.
    Redis(RedisAddress),
}

/// The address of a Redis, of one server or several. Neither `Debug` nor `Display` shows user or
/// password.
#[derive(Clone)]
pub struct RedisAddress {
    /// The servers.
    pub topology: Topology,
    /// Whether they use TLS.
    pub tls: bool,
    /// The user to log in as; `None`: the default user.
    pub user: Option<String>,
    /// The password in the address.
    pub password: Option<String>,
    /// The database number.
    pub db: i64,
}

/// The servers of a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single(Server),
    /// The primary that Sentinels name.
    Sentinel {
        /// The Sentinels, in any order.
        sentinels: Vec<Host>,
        /// The name of the primary.
        service: String,
    },
    /// A Redis Cluster; these nodes tell which others there are.
    Cluster(Vec<Host>),
}

/// A server, as it is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// Over TCP.
    Host(Host),
    /// At the path of its Unix socket.
    Unix(PathBuf),
}

/// A server's name or IP address, and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// The name; an IPv6 address has no brackets.
    pub name: String,
    /// 1 to 65535.
    pub port: u16,
}

const SENTINEL_PORT: u16 = 26379;

// === impl StoreAddress ===

impl StoreAddress {
    /// Parses an address. The error never repeats the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "memory" { Ok(Self::Memory) } else { RedisAddress::parse(text).map(Self::Redis) }
    }
}

// === impl RedisAddress ===

impl RedisAddress {
    /// Parses any address but `memory`. The error never repeats the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (tls, kind) = match scheme.strip_prefix("rediss") {
            Some(kind) => (true, kind),
            None => (false, scheme.strip_prefix("redis").unwrap_or("no")),
        };
        match kind {
            "" => single(rest, tls),
            "+unix" if tls => Err(unix::NO_TLS.to_owned()),
            "+unix" => at_unix_socket(rest),
            "+sentinel" => sentinel(rest, tls),
            "+cluster" => cluster(rest, tls),
            _ if unix::is_meant(text) => Err(unix::OTHER_FORM.to_owned()),
            _ => Err("must be memory, or redis://, redis+unix://, redis+sentinel:// or \
                      redis+cluster:// (with TLS rediss:// and so on), such as \
                      redis://user:password@host:6379/0"
                .to_owned()),
        }
    }

    fn new(topology: Topology, tls: bool, server: &ConnectionInfo) -> Self {
        let settings = server.redis_settings();
        Self {
            topology,
            tls,
            user: settings.username().map(str::to_owned),
            password: settings.password().map(str::to_owned),
            db: settings.db(),
        }
    }
}

fn single(rest: &str, tls: bool) -> Result<RedisAddress, String> {
    const FORM: &str =
        "is not a valid redis:// address: write redis://[user:password@]host[:port][/db]";
    let server = server(rest, FORM)?;
    Ok(RedisAddress::new(Topology::Single(host(&server, FORM)?.into()), tls, &server))
}

fn at_unix_socket(rest: &str) -> Result<RedisAddress, String> {
    let unix::UnixAddress { login, path, db } = unix::parse(rest)?;
    let login = server(&format!("{login}localhost"), unix::FORM)?;
    let topology = Topology::Single(Server::Unix(path));
    Ok(RedisAddress { db, ..RedisAddress::new(topology, false, &login) })
}

fn sentinel(rest: &str, tls: bool) -> Result<RedisAddress, String> {
    const FORM: &str = "is not a valid redis+sentinel:// address: write \
                        redis+sentinel://[user:password@]host:port,host:port/service[/db]";
    let (servers, path) = rest.split_once('/').ok_or_else(|| advice(FORM))?;
    let (service, db) = path.split_once('/').unwrap_or((path, "0"));
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if service.is_empty() || !service.bytes().all(good) {
        return Err(advice(FORM));
    }
    let servers = each_server(servers, &format!("/{db}"), Some(SENTINEL_PORT), FORM)?;
    let sentinels = servers.iter().map(|server| host(server, FORM)).collect::<Result<_, _>>()?;
    let topology = Topology::Sentinel { sentinels, service: service.to_owned() };
    Ok(RedisAddress::new(topology, tls, &servers[0]))
}

fn cluster(rest: &str, tls: bool) -> Result<RedisAddress, String> {
    const FORM: &str = "is not a valid redis+cluster:// address: write \
                        redis+cluster://[user:password@]host:port,host:port (a cluster has one database)";
    let servers = each_server(rest.strip_suffix('/').unwrap_or(rest), "", None, FORM)?;
    let nodes = servers.iter().map(|server| host(server, FORM)).collect::<Result<_, _>>()?;
    Ok(RedisAddress::new(Topology::Cluster(nodes), tls, &servers[0]))
}

/// Parses `user:password@a:1,b:2`, each server as if it stood alone; at least one.
fn each_server(
    text: &str,
    path: &str,
    port: Option<u16>,
    form: &str,
) -> Result<Vec<ConnectionInfo>, String> {
    let (login, hosts) = match text.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), text),
    };
    let each = hosts.split(',').map(|host| {
        let behind = host.rsplit_once(']').map_or(host, |(_, port)| port);
        let port = port.filter(|_| !behind.contains(':'));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        if host.contains('/') {
            return Err(advice(form));
        }
        server(&format!("{login}{host}{port}{path}"), form)
    });
    each.collect()
}

/// Parses host, login and database, as the `redis` crate does. There are no parameters.
fn server(rest: &str, form: &str) -> Result<ConnectionInfo, String> {
    if rest.contains(['?', '#']) {
        return Err(advice(form));
    }
    format!("redis://{rest}").into_connection_info().map_err(|_| advice(form))
}

fn host(info: &ConnectionInfo, form: &str) -> Result<Host, String> {
    match info.addr() {
        ConnectionAddr::Tcp(name, port) => Ok(Host { name: name.clone(), port: *port }),
        _ => Err(advice(form)),
    }
}

fn advice(form: &str) -> String {
    format!("{form}, with special characters of the password percent-encoded")
}

// === impl Server ===

impl From<Host> for Server {
    fn from(host: Host) -> Self {
        Self::Host(host)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

// === impl Host ===

impl Host {
    /// Parses `HOST:PORT` as Redis writes it: an IPv6 address has no brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, port) = text.rsplit_once(':')?;
        Some(Self { name: name.to_owned(), port: port.parse().ok()? })
    }

    /// This host, with the name of `other` if it has none: a cluster node leaves its own name out.
    pub(super) fn or_name_of(self, other: &Self) -> Self {
        if self.name.is_empty() { Self { name: other.name.clone(), ..self } } else { self }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "rediss" } else { "redis" })?;
        let (kind, hosts, service) = match &self.topology {
            Topology::Single(Server::Unix(path)) => return unix::write(f, path, self.db),
            Topology::Single(Server::Host(host)) => ("", std::slice::from_ref(host), None),
            Topology::Sentinel { sentinels, service } => {
                ("+sentinel", sentinels.as_slice(), Some(service))
            }
            Topology::Cluster(nodes) => ("+cluster", nodes.as_slice(), None),
        };
        write!(f, "{kind}://")?;
        for (at, host) in hosts.iter().enumerate() {
            write!(f, "{}{host}", if at == 0 { "" } else { "," })?;
        }
        if let Some(service) = service {
            write!(f, "/{service}")?;
        }
        match self.db {
            0 => Ok(()),
            db => write!(f, "/{db}"),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Redis(address) => fmt::Display::fmt(address, f),
        }
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, StoreAddress};

    #[test]
    fn addresses_show_no_secrets() {
        for (text, shown) in [
            ("memory", "memory"),
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://:hunter2@10.0.0.3:6380/2", "redis://10.0.0.3:6380/2"),
            ("redis://user:hunter2@[::1]:7000", "redis://[::1]:7000"),
            ("rediss://user:hunter2@10.0.0.3", "rediss://10.0.0.3:6379"),
            ("redis+cluster://u:hunter2@a:1,b,[::1]:3", "redis+cluster://a:1,b:6379,[::1]:3"),
            ("rediss+cluster://:hunter2@a:1/", "rediss+cluster://a:1"),
            ("redis+sentinel://a,b:2,[::1]/main", "redis+sentinel://a:26379,b:2,[::1]:26379/main"),
            ("rediss+sentinel://:hunter2@a:1/my-main.1/3", "rediss+sentinel://a:1/my-main.1/3"),
        ] {
            let address = StoreAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
        }
    }

    #[test]
    fn all_servers_share_one_login() {
        let text = "redis+cluster://front:h%40nter,2@a:1,b:2";
        let StoreAddress::Redis(address) = StoreAddress::parse(text).unwrap() else { panic!() };
        assert_eq!(address.user.as_deref(), Some("front"));
        assert_eq!(address.password.as_deref(), Some("h@nter,2"));
    }

    #[test]
    fn refused_without_secrets() {
        for (text, reason) in [
            ("", "must be memory"),
            ("Memory", "must be memory"),
            ("localhost:6379", "must be memory"),
            ("redis+sentinels://hunter2", "must be memory"),
            ("redis://", "not a valid redis:// address"),
            ("redis://:hunter2@host:port", "not a valid"),
            ("redis://:hunter2@host/first", "not a valid"),
            ("rediss://:hunter2@host:0x1", "not a valid"),
            ("redis://:hunter2@host?db=1", "not a valid redis:// address"),
            ("redis://:hunter2@host/1?protocol=resp3", "not a valid redis:// address"),
            ("redis://:hunter2@host#1", "not a valid redis:// address"),
            ("redis+cluster://:hunter2@a:1?x", "not a valid redis+cluster:// address"),
            ("redis+sentinel://:hunter2@a:1/main?x", "not a valid redis+sentinel:// address"),
            ("redis+sentinel://:hunter2@a:1/main/0#x", "not a valid redis+sentinel:// address"),
            ("redis+cluster://", "not a valid redis+cluster:// address"),
            ("redis+cluster://:hunter2@a:1,", "not a valid redis+cluster:// address"),
            ("redis+cluster://:hunter2@a:1/2", "a cluster has one database"),
            ("redis+sentinel://:hunter2@a:1", "not a valid redis+sentinel:// address"),
            ("redis+sentinel://:hunter2@a:1/", "not a valid redis+sentinel:// address"),
            ("redis+sentinel://a:1/hunter2/x", "not a valid redis+sentinel:// address"),
            ("redis+sentinel://a:1/hun ter2", "not a valid redis+sentinel:// address"),
        ] {
            let error = StoreAddress::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn hosts_as_redis_writes_them() {
        let host = |name: &str, port| Some(Host { name: name.to_owned(), port });
        assert_eq!(Host::parse("10.0.0.1:6379"), host("10.0.0.1", 6379));
        assert_eq!(Host::parse("::1:6379"), host("::1", 6379));
        assert_eq!(Host::parse("a.example:70000"), None);
        assert_eq!(Host::parse("a.example"), None);
    }
}
