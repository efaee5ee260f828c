//! Where the buckets live, without ever showing a password.

use std::fmt;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisResult, io::tcp::TcpSettings};

/// A store, as written in `--store`. Neither `Debug` nor `Display` shows user or password.
#[derive(Clone)]
pub enum StoreAddress {
    /// In this process.
    Memory,
    /// One Redis server, over plain TCP.
    Redis(Client),
}

const NOT_YET: [&str; 3] = ["rediss://", "redis+cluster://", "redis+sentinel://"];

// === impl StoreAddress ===

impl StoreAddress {
    /// Reads a store; the error never repeats the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(scheme) = NOT_YET.iter().find(|scheme| text.starts_with(**scheme)) {
            return Err(format!("{scheme} is not supported yet: use memory or redis://"));
        }
        if !text.starts_with("redis://") {
            return Err("must be memory or redis://[user:password@]host[:port][/db]".to_owned());
        }
        let client = client(text).map_err(|_| {
            "is not a valid redis:// address: write redis://[user:password@]host[:port][/db], \
             with special characters of the password percent-encoded"
                .to_owned()
        })?;
        Ok(Self::Redis(client))
    }
}

fn client(url: &str) -> RedisResult<Client> {
    // A check is one small write: Nagle's algorithm would hold it back until the last is acknowledged.
    let settings = TcpSettings::default().set_nodelay(true);
    Client::open(url.into_connection_info()?.set_tcp_settings(settings))
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = match self {
            Self::Memory => return f.write_str("memory"),
            Self::Redis(client) => client.get_connection_info(),
        };
        match info.addr() {
            ConnectionAddr::Tcp(host, port) if host.contains(':') => {
                write!(f, "redis://[{host}]:{port}")?;
            }
            address => write!(f, "redis://{address}")?,
        }
        match info.redis_settings().db() {
            0 => Ok(()),
            db => write!(f, "/{db}"),
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
    use super::StoreAddress;

    #[test]
    fn shown_without_secrets() {
        for (text, shown) in [
            ("memory", "memory"),
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://:hunter2@10.0.0.3:6380/2", "redis://10.0.0.3:6380/2"),
            ("redis://user:hunter2@[::1]:7000?protocol=resp3", "redis://[::1]:7000"),
        ] {
            let address = StoreAddress::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
        }
    }

    #[test]
    fn refused_without_secrets() {
        for (text, reason) in [
            ("", "must be memory"),
            ("Memory", "must be memory"),
            ("localhost:6379", "must be memory"),
            ("unix:///run/hunter2", "must be memory"),
            ("redis://", "not a valid"),
            ("redis://:hunter2@host:port", "not a valid"),
            ("redis://:hunter2@host/first", "not a valid"),
            ("rediss://:hunter2@host", "rediss:// is not supported yet"),
            ("redis+cluster://a:1,b:2", "redis+cluster:// is not supported yet"),
            ("redis+sentinel://a:1/hunter2", "redis+sentinel:// is not supported yet"),
        ] {
            let error = StoreAddress::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
