//! A TCP proxy that injects the connection faults that no signal and no command can cause.
//!
//! It stands between a front and its Redis and counts the bytes and commands that pass. A fault
//! lasts from [`set`](FaultProxy::set) to [`clear`](FaultProxy::clear), or for one reply with
//! [`set_once`](FaultProxy::set_once).

mod command_parser;
mod pipe;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) use self::command_parser::CommandParser;
use crate::process::{eventually, free_port};

/// A running proxy on a free port; it and its connections close when it is dropped.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// A fault of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Delays each piece of data, in both directions.
    Latency {
        /// The least delay.
        each_way: Duration,
        /// The most that is added to it, at random.
        jitter: Duration,
    },
    /// Holds back requests, as a network does that drops every packet. They arrive when the fault
    /// is cleared.
    HoldRequests,
    /// Holds back replies.
    HoldReplies,
    /// Resets the connection at both ends, in place of a reply.
    Reset,
    /// Closes the sending half of the connection to the client, in place of a reply. The client may
    /// go on sending.
    HalfClose,
    /// Sends half of a reply and closes the connection.
    Truncate,
    /// Sends these bytes in place of a reply.
    Garbage(&'static [u8]),
    /// Resets new connections as soon as they are accepted.
    Refuse,
}

/// State that the proxy's threads share.
struct Shared {
    upstream: Mutex<SocketAddr>,
    stopped: AtomicBool,
    fault: Mutex<Option<(Fault, Lifetime)>>,
    connection_times: Mutex<Vec<Instant>>,
    commands: Mutex<BTreeMap<String, u64>>,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
}

/// When a fault ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    UntilCleared,
    OneReply,
}

// === impl FaultProxy ===

impl FaultProxy {
    /// Starts a proxy for the server on this port of 127.0.0.1, which need not be running yet.
    pub fn start(server: u16) -> Self {
        let (port, listener) = loop {
            let port = free_port();
            // Another process may have taken the port since.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                break (port, listener);
            }
        };
        let shared = Arc::new(Shared {
            upstream: Mutex::new((Ipv4Addr::LOCALHOST, server).into()),
            stopped: AtomicBool::new(false),
            fault: Mutex::default(),
            connection_times: Mutex::default(),
            commands: Mutex::default(),
            request_bytes: AtomicU64::new(0),
            reply_bytes: AtomicU64::new(0),
        });
        let acceptor_shared = Arc::clone(&shared);
        let acceptor = Some(thread::spawn(move || accept(&listener, &acceptor_shared)));
        Self { port, shared, acceptor }
    }

    /// The proxy's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The proxy's address, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends new connections to the server on this port, as when an address moves to another host.
    pub fn set_upstream(&self, server: u16) {
        lock(&self.shared.upstream).set_port(server);
    }

    /// Applies this fault to every connection, existing or new, until it is cleared.
    pub fn set(&self, fault: Fault) {
        *lock(&self.shared.fault) = Some((fault, Lifetime::UntilCleared));
    }

    /// Clears the fault; bytes that were held back arrive.
    pub fn clear(&self) {
        *lock(&self.shared.fault) = None;
    }

    /// Applies this fault to the next reply only, and waits until that is done.
    #[track_caller]
    pub fn set_once(&self, fault: Fault) {
        *lock(&self.shared.fault) = Some((fault, Lifetime::OneReply));
        eventually("a reply meets the fault", Duration::from_secs(20), || {
            lock(&self.shared.fault).is_none()
        });
    }

    /// The time of each connection, refused ones included.
    pub fn connection_times(&self) -> Vec<Instant> {
        lock(&self.shared.connection_times).clone()
    }

    /// The number of commands with this name that clients have sent, delivered or not. Those behind
    /// one that is held back count once it moves on.
    pub fn commands(&self, name: &str) -> u64 {
        lock(&self.shared.commands).get(name).copied().unwrap_or(0)
    }

    /// The number of bytes that clients and servers have sent, delivered or not.
    pub fn bytes(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.shared.request_bytes), load(&self.shared.reply_bytes))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the acceptor.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn fault(&self) -> Option<Fault> {
        lock(&self.fault).map(|(fault, _)| fault)
    }

    /// The fault that applies to the next reply. Clears it if it was set for one reply.
    fn take_reply_fault(&self) -> Option<Fault> {
        let mut current = lock(&self.fault);
        let (fault, lifetime) = (*current)?;
        if lifetime == Lifetime::OneReply {
            *current = None;
        }
        Some(fault)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.is_stopped() {
            return;
        }
        lock(&shared.connection_times).push(Instant::now());
        if shared.fault() == Some(Fault::Refuse) {
            pipe::reset(client);
        } else {
            let shared = Arc::clone(shared);
            thread::spawn(move || pipe::run(client, &shared));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Fault, FaultProxy};

    /// A proxy in front of an echo server.
    fn echo_proxy() -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a port").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &stream, &mut &stream);
                });
            }
        });
        FaultProxy::start(port)
    }

    fn client(proxy: &FaultProxy) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).expect("a connection");
        client.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        client
    }

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    /// Sends a ping and returns everything that comes back until the end, and the error.
    fn ping(mut client: &TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
        // A reset is reported once: by the write, if it has arrived by then.
        let write_error = client.write_all(PING).err();
        let mut reply = Vec::new();
        let read_error = client.read_to_end(&mut reply).err();
        (reply, write_error.or(read_error).map(|error| error.kind()))
    }

    #[test]
    fn each_fault_changes_the_reply() {
        let reset = Some(ErrorKind::ConnectionReset);
        for (fault, expected) in [
            (Fault::Reset, (&b""[..], reset)),
            (Fault::HalfClose, (b"", None)),
            (Fault::Truncate, (&PING[..PING.len() / 2], None)),
            (Fault::Refuse, (b"", reset)),
        ] {
            let proxy = echo_proxy();
            proxy.set(fault);
            let (reply, error) = ping(&client(&proxy));
            assert_eq!((&reply[..], error), expected, "{fault:?}");
        }
    }

    fn assert_echo(mut client: &TcpStream, expected: &[u8]) {
        let mut reply = vec![0; expected.len()];
        client.read_exact(&mut reply).expect("a reply");
        assert_eq!(reply, expected);
    }

    #[test]
    fn a_fault_set_once_meets_one_reply_and_everything_is_counted() {
        let proxy = echo_proxy();
        let mut client = client(&proxy);
        thread::scope(|scope| {
            scope.spawn(|| proxy.set_once(Fault::Garbage(b"?")));
            // Some replies come before the fault, one meets it, and one comes after it.
            let mut reply = [0];
            while reply != *b"?" {
                client.write_all(b"!").expect("to send");
                client.read_exact(&mut reply).expect("a reply");
            }
        });
        client.write_all(PING).expect("to send");
        assert_echo(&client, PING);
        assert_eq!(proxy.connection_times().len(), 1);
        assert_eq!(proxy.commands("PING"), 0, "commands after bytes that are no command");
        let (requests, replies) = proxy.bytes();
        assert!(requests == replies && requests > PING.len() as u64, "{requests}, {replies}");
    }

    #[test]
    fn bytes_held_back_arrive_when_the_fault_is_cleared() {
        for fault in [Fault::HoldRequests, Fault::HoldReplies] {
            let proxy = echo_proxy();
            let mut client = client(&proxy);
            proxy.set(fault);
            client.write_all(PING).expect("to send");
            let wait = Duration::from_millis(50);
            client.set_read_timeout(Some(wait)).expect("a time limit");
            let nothing = client.read(&mut [0]).expect_err("nothing");
            assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
            assert_eq!(proxy.commands("PING"), 1, "{fault:?}");
            client.set_read_timeout(None).expect("no time limit");
            proxy.clear();
            assert_echo(&client, PING);
        }
    }

    #[test]
    fn latency_applies_in_both_directions() {
        let proxy = echo_proxy();
        let mut client = client(&proxy);
        let (each_way, jitter) = (Duration::from_millis(20), Duration::from_millis(5));
        proxy.set(Fault::Latency { each_way, jitter });
        let sent_at = Instant::now();
        client.write_all(PING).expect("to send");
        assert_echo(&client, PING);
        assert!(sent_at.elapsed() >= 2 * each_way);
    }

    #[test]
    fn dropping_the_proxy_closes_its_connections() {
        let proxy = echo_proxy();
        let client = client(&proxy);
        let port = proxy.port();
        drop(proxy);
        let _ = (&client).read(&mut [0]); // returns because the connection was closed
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
