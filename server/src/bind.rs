//! Binds the listeners, and names them for those who read the log.

use std::{
    env, fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use listenfd::ListenFd;
use rl_server::{Listener, listen_address::ListenAddress, unix_socket};
use tokio::net::{self, TcpSocket};

/// A listener that is bound.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) listener: Listener,
    pub(crate) name: BoundName,
}

/// The address of a listener, with the port that was bound.
#[derive(Clone, Debug)]
pub(crate) enum BoundName {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The sockets that systemd passes on (sd_listen_fds(3)).
pub(crate) struct Inherited {
    sockets: ListenFd,
    /// The `FileDescriptorName=` of each.
    names: Vec<String>,
}

/// Connections that may wait to be accepted: room for all clients to reconnect at once.
const BACKLOG: u16 = 1024;

/// Binds `listen`, or takes the socket of that name.
pub(crate) async fn bind(listen: &ListenAddress, inherited: &mut Inherited) -> io::Result<Bound> {
    let bound = match listen {
        ListenAddress::Tcp(address) => bind_to_any(address).await,
        ListenAddress::Unix(address) => {
            let bound = unix_socket::bind(address, BACKLOG.into());
            bound.map(|(socket, file)| Listener::Unix { file: Some(file), socket })
        }
        ListenAddress::Systemd { name } => inherited.take(name.as_deref()),
    };
    let named = bound.and_then(|listener| Ok(Bound { name: BoundName::of(&listener)?, listener }));
    named.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
    })
}

/// Binds the first of the addresses of `HOST:PORT` that can be bound.
async fn bind_to_any(address: &str) -> io::Result<Listener> {
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in net::lookup_host(address).await? {
        match bind_to(address) {
            Ok(listener) => return Ok(Listener::Tcp(listener)),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?; // a restart does not wait for old connections
    socket.bind(address)?;
    socket.listen(BACKLOG.into())?.into_std()
}

// === impl Inherited ===

impl Inherited {
    pub(crate) fn from_env() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// Takes the socket of this name, or the only one.
    fn take(&mut self, name: Option<&str>) -> io::Result<Listener> {
        let index = match (name, self.sockets.len()) {
            (_, 0) => {
                let reason = "systemd has passed on no socket (LISTEN_FDS): start it by a .socket \
                              unit";
                return Err(io::Error::new(io::ErrorKind::NotFound, reason));
            }
            (None, 1) => Some(0),
            (None, _) => None,
            (Some(name), _) => self.names.iter().position(|it| it == name),
        };
        let unknown = || {
            let names = self.names.join(", ");
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("it must be systemd:NAME, with one of the FileDescriptorName= {names}"),
            )
        };
        let index = index.ok_or_else(unknown)?;
        if let Ok(Some(socket)) = self.sockets.take_unix_listener(index) {
            return Ok(Listener::Unix { file: None, socket });
        }
        match self.sockets.take_tcp_listener(index) {
            Ok(Some(listener)) => Ok(Listener::Tcp(listener)),
            Ok(None) => Err(io::Error::new(io::ErrorKind::AddrInUse, "the socket is used already")),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it must be a listening stream socket (ListenStream=, Accept=no)",
            )),
        }
    }
}

// === impl BoundName ===

impl BoundName {
    fn of(listener: &Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Self::Tcp(listener.local_addr()?),
            Listener::Unix { socket, .. } => {
                let address = socket.local_addr()?;
                Self::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned())
            }
        })
    }

    /// Whether it is an address of every network.
    pub(crate) fn is_every_address(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ip().is_unspecified())
    }

    /// The address, as a client may write it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(_) => self.to_string(),
        }
    }

    /// The page of the front, and a request to try.
    pub(crate) fn advice(&self) -> String {
        const BODY: &str = "-d '{\"key\":\"user:42\"}'";
        match self {
            Self::Tcp(bound) => {
                let mut reachable = *bound;
                if self.is_every_address() {
                    reachable.set_ip(match bound {
                        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                    });
                }
                format!(
                    "Docs: http://{reachable}/docs. Try: curl -s http://{reachable}/check {BODY}"
                )
            }
            Self::Unix(path) => {
                let path = shell_word(&path.display().to_string());
                format!("Try: curl -s --unix-socket {path} http://localhost/check {BODY}")
            }
        }
    }
}

impl fmt::Display for BoundName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_path_can_be_copied_into_a_shell() {
        for (path, expected) in [
            ("/run/rl-1/rl.sock", "/run/rl-1/rl.sock"),
            ("/a b", "'/a b'"),
            ("/it's", r"'/it'\''s'"),
        ] {
            assert_eq!(shell_word(path), expected);
        }
    }
}
