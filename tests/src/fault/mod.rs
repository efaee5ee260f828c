//! A TCP proxy that misbehaves when told to, for what no signal and no command does to a connection.
//!
//! It stands between a front and its Redis, counts what goes by, and is told at run time what to do to it:
//! [`set`](FaultProxy::set) until [`clear`](FaultProxy::clear), or [`strike`](FaultProxy::strike) once.

mod pipe;
mod requests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::process::{eventually, free_port};

/// A running proxy on a free port; it and its connections end when it is dropped.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What is done to the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Each piece, either way, takes so long, and up to `jitter` more.
    Latency {
        /// At least.
        each_way: Duration,
        /// At most so much more.
        jitter: Duration,
    },
    /// What the client says is held back, as a network holds it that drops every packet: when it is over,
    /// it arrives.
    HoldRequests,
    /// The same with what the server says.
    HoldReplies,
    /// In place of a reply the connection is reset, to both ends.
    Reset,
    /// In place of a reply the client is told that none will come any more, and may go on talking.
    HalfClose,
    /// Half of a reply, then the end.
    Truncate,
    /// These bytes in place of a reply.
    Garbage(&'static [u8]),
    /// New connections are reset as soon as they are made.
    Refuse,
}

/// What the proxy's threads share.
struct Shared {
    server: Mutex<SocketAddr>,
    stopped: AtomicBool,
    fault: Mutex<Option<(Fault, Lasting)>>,
    connects: Mutex<Vec<Instant>>,
    commands: Mutex<BTreeMap<String, u64>>,
    asked: AtomicU64,
    answered: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    UntilCleared,
    Once,
}

// === impl FaultProxy ===

impl FaultProxy {
    /// Starts one in front of the server on this port of 127.0.0.1, which need not be there yet.
    pub fn start(server: u16) -> Self {
        let (port, listener) = loop {
            let port = free_port();
            // Another may have taken it since.
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                break (port, listener);
            }
        };
        let shared = Arc::new(Shared {
            server: Mutex::new((Ipv4Addr::LOCALHOST, server).into()),
            stopped: AtomicBool::new(false),
            fault: Mutex::default(),
            connects: Mutex::default(),
            commands: Mutex::default(),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        });
        let of_acceptor = Arc::clone(&shared);
        let acceptor = Some(thread::spawn(move || accept(&listener, &of_acceptor)));
        Self { port, shared, acceptor }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on new connections lead to the server on this port, as when an address is given to another.
    pub fn set_upstream(&self, server: u16) {
        lock(&self.shared.server).set_port(server);
    }

    /// From now on this is done to every connection, old or new.
    pub fn set(&self, fault: Fault) {
        *lock(&self.shared.fault) = Some((fault, Lasting::UntilCleared));
    }

    /// From now on nothing is done to any connection; what was held back arrives.
    pub fn clear(&self) {
        *lock(&self.shared.fault) = None;
    }

    /// Does this to the next reply alone, and waits until it is done.
    #[track_caller]
    pub fn set_once(&self, fault: Fault) {
        *lock(&self.shared.fault) = Some((fault, Lasting::Once));
        eventually("a reply to strike", Duration::from_secs(20), || {
            lock(&self.shared.fault).is_none()
        });
    }

    /// When each connection was made, refused ones too.
    pub fn connection_times(&self) -> Vec<Instant> {
        lock(&self.shared.connects).clone()
    }

    /// Commands of this name that clients have sent, whatever became of them; those behind one that is held
    /// back count when it goes on.
    pub fn commands(&self, name: &str) -> u64 {
        lock(&self.shared.commands).get(name).copied().unwrap_or(0)
    }

    /// Bytes that clients have sent and servers have answered, whatever became of them.
    pub fn bytes(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.shared.asked), of(&self.shared.answered))
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

    /// The fault that the next reply meets; one that strikes once is over with that.
    fn fault_of_reply(&self) -> Option<Fault> {
        let mut fault = lock(&self.fault);
        let (met, lasting) = (*fault)?;
        if lasting == Lasting::Once {
            *fault = None;
        }
        Some(met)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.is_stopped() {
            return;
        }
        lock(&shared.connects).push(Instant::now());
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

    /// A proxy before a server that sends back what it hears.
    fn echoing() -> FaultProxy {
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

    /// All that comes back for a ping until the end, and how it ends.
    fn ping(mut client: &TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
        // A reset is told once: to whoever writes, if it is there by then.
        let unsent = client.write_all(PING).err();
        let mut heard = Vec::new();
        let unheard = client.read_to_end(&mut heard).err();
        (heard, unsent.or(unheard).map(|error| error.kind()))
    }

    #[test]
    fn what_is_done_to_a_reply() {
        let reset = Some(ErrorKind::ConnectionReset);
        for (fault, expected) in [
            (Fault::Reset, (&b""[..], reset)),
            (Fault::HalfClose, (b"", None)),
            (Fault::Truncate, (&PING[..PING.len() / 2], None)),
            (Fault::Refuse, (b"", reset)),
        ] {
            let proxy = echoing();
            proxy.set(fault);
            let (heard, end) = ping(&client(&proxy));
            assert_eq!((&heard[..], end), expected, "{fault:?}");
        }
    }

    fn echoed(mut client: &TcpStream, expected: &[u8]) {
        let mut heard = vec![0; expected.len()];
        client.read_exact(&mut heard).expect("a reply");
        assert_eq!(heard, expected);
    }

    #[test]
    fn a_strike_meets_one_reply_and_everything_is_counted() {
        let proxy = echoing();
        let mut client = client(&proxy);
        thread::scope(|scope| {
            scope.spawn(|| proxy.set_once(Fault::Garbage(b"?")));
            // Some before the strike, one struck, one after it.
            let mut heard = [0];
            while heard != *b"?" {
                client.write_all(b"!").expect("to send");
                client.read_exact(&mut heard).expect("a reply");
            }
        });
        client.write_all(PING).expect("to send");
        echoed(&client, PING);
        assert_eq!(
            (proxy.connection_times().len(), proxy.commands("PING")),
            (1, 0),
            "not after nonsense"
        );
        let (asked, answered) = proxy.bytes();
        assert!(asked == answered && asked > PING.len() as u64, "{asked}, {answered}");
    }

    #[test]
    fn what_is_held_back_arrives_in_the_end() {
        for fault in [Fault::HoldRequests, Fault::HoldReplies] {
            let proxy = echoing();
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
            echoed(&client, PING);
        }
    }

    #[test]
    fn latency_is_there_both_ways() {
        let proxy = echoing();
        let mut client = client(&proxy);
        let (each_way, jitter) = (Duration::from_millis(20), Duration::from_millis(5));
        proxy.set(Fault::Latency { each_way, jitter });
        let asked = Instant::now();
        client.write_all(PING).expect("to send");
        echoed(&client, PING);
        assert!(asked.elapsed() >= 2 * each_way);
    }

    #[test]
    fn it_goes_away_with_its_connections() {
        let proxy = echoing();
        let client = client(&proxy);
        let port = proxy.port();
        drop(proxy);
        let _ = (&client).read(&mut [0]); // returns: it was closed
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
