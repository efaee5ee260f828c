//! One connection through the proxy: a thread for each way.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::requests::Requests;
use super::{Fault, Shared, lock};

/// Both ends. They are closed when both threads are done with them.
struct Pipe {
    client: TcpStream,
    server: TcpStream,
    cut: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// How often a thread looks up from waiting: what it waits for may be over, or the proxy.
const LOOK: Duration = Duration::from_millis(5);
/// Taken along at once.
const PIECE: usize = 64 << 10;

/// Closes it with a reset.
pub(super) fn reset(stream: TcpStream) {
    end_with_reset(&stream);
    drop(stream);
}

fn end_with_reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Carries a connection until either side, a fault or the proxy ends it.
pub(super) fn run(client: TcpStream, shared: &Shared) {
    let address = *lock(&shared.server);
    let Ok(server) = TcpStream::connect(address) else { return reset(client) };
    for end in [&client, &server] {
        if end.set_nodelay(true).and(end.set_read_timeout(Some(LOOK))).is_err() {
            return;
        }
    }
    let pipe = Pipe { client, server, cut: AtomicBool::new(false) };
    thread::scope(|scope| {
        for way in [Way::ToServer, Way::ToClient] {
            let pipe = &pipe;
            scope.spawn(move || pipe.carry(way, shared));
        }
    });
}

// === impl Pipe ===

impl Pipe {
    fn ends(&self, way: Way) -> (&TcpStream, &TcpStream) {
        match way {
            Way::ToServer => (&self.client, &self.server),
            Way::ToClient => (&self.server, &self.client),
        }
    }

    fn is_over(&self, shared: &Shared) -> bool {
        shared.is_stopped() || self.cut.load(Ordering::Relaxed)
    }

    /// Both threads leave, and with them the sockets are closed.
    fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    fn carry(&self, way: Way, shared: &Shared) {
        let (mut from, mut to) = self.ends(way);
        let mut requests = Requests::default();
        let mut piece = vec![0; PIECE];
        while !self.is_over(shared) {
            let len = match from.read(&mut piece) {
                Ok(len) => len,
                Err(error) if is_a_look(error.kind()) => continue,
                Err(_) => {
                    end_with_reset(to);
                    return self.cut();
                }
            };
            match way {
                Way::ToServer => {
                    shared.asked.fetch_add(len as u64, Ordering::Relaxed);
                    let mut commands = lock(&shared.commands);
                    requests.read(&piece[..len], |name| *commands.entry(name).or_default() += 1);
                }
                Way::ToClient => _ = shared.answered.fetch_add(len as u64, Ordering::Relaxed),
            }
            self.wait(way, shared);
            if len == 0 {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            let fault = if way == Way::ToClient { shared.fault_of_reply() } else { None };
            let say = match fault {
                Some(Fault::Reset) => {
                    end_with_reset(from);
                    end_with_reset(to);
                    return self.cut();
                }
                Some(Fault::HalfClose) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Some(Fault::Truncate) => &piece[..len / 2],
                Some(Fault::Garbage(garbage)) => garbage,
                _ => &piece[..len],
            };
            if to.write_all(say).is_err() || fault == Some(Fault::Truncate) {
                return self.cut();
            }
        }
    }

    /// What the faults of time ask for.
    fn wait(&self, way: Way, shared: &Shared) {
        let held = match way {
            Way::ToServer => Fault::HoldRequests,
            Way::ToClient => Fault::HoldReplies,
        };
        while shared.fault() == Some(held) && !self.is_over(shared) {
            thread::sleep(LOOK);
        }
        if let Some(Fault::Latency { each_way, jitter }) = shared.fault() {
            thread::sleep(each_way + jitter.mul_f64(fastrand::f64()));
        }
    }
}

fn is_a_look(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
