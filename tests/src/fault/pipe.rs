//! One connection through the proxy, with two threads for each direction: one reads, the other
//! delivers, so that latency delays bytes and does not limit how many are on their way.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::command_parser::CommandParser;
use super::{Fault, Shared, lock};

/// The sockets at both ends. They close when all threads have returned.
struct Pipe {
    client: TcpStream,
    server: TcpStream,
    closed: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// Bytes on their way, and when they were read; none at the end of the stream.
type Chunk = (Instant, Vec<u8>);

/// How often a waiting thread checks whether the fault or the proxy has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The most bytes that are read at once.
const BUFFER: usize = 64 << 10;
/// The most chunks on their way; the proxy reads no further.
const ON_THEIR_WAY: usize = 256;

/// Closes a connection with a reset.
pub(super) fn reset(stream: TcpStream) {
    reset_on_close(&stream);
    drop(stream);
}

fn reset_on_close(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Forwards a connection until either end, a fault or the proxy closes it.
pub(super) fn run(client: TcpStream, shared: &Shared) {
    let upstream = *lock(&shared.upstream);
    let Ok(server) = TcpStream::connect(upstream) else { return reset(client) };
    for end in [&client, &server] {
        if end.set_nodelay(true).and(end.set_read_timeout(Some(POLL_INTERVAL))).is_err() {
            return;
        }
    }
    let pipe = Pipe { client, server, closed: AtomicBool::new(false) };
    thread::scope(|scope| {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let pipe = &pipe;
            let (chunks, delivered) = sync_channel(ON_THEIR_WAY);
            scope.spawn(move || pipe.read(direction, shared, &chunks));
            scope.spawn(move || pipe.deliver(direction, shared, &delivered));
        }
    });
}

// === impl Pipe ===

impl Pipe {
    fn ends(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        }
    }

    fn is_closed(&self, shared: &Shared) -> bool {
        shared.is_stopped() || self.closed.load(Ordering::Relaxed)
    }

    /// Makes all threads return, which closes the sockets.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn read(&self, direction: Direction, shared: &Shared, chunks: &SyncSender<Chunk>) {
        let (mut from, to) = self.ends(direction);
        let mut parser = CommandParser::default();
        let mut buffer = vec![0; BUFFER];
        while !self.is_closed(shared) {
            let len = match from.read(&mut buffer) {
                Ok(len) => len,
                Err(error) if is_timeout(error.kind()) => continue,
                Err(_) => {
                    reset_on_close(to);
                    return self.close();
                }
            };
            match direction {
                Direction::ToServer => {
                    shared.request_bytes.fetch_add(len as u64, Ordering::Relaxed);
                    let mut commands = lock(&shared.commands);
                    parser.read(&buffer[..len], |name| *commands.entry(name).or_default() += 1);
                }
                Direction::ToClient => {
                    shared.reply_bytes.fetch_add(len as u64, Ordering::Relaxed);
                }
            }
            if chunks.send((Instant::now(), buffer[..len].to_vec())).is_err() || len == 0 {
                return;
            }
        }
    }

    fn deliver(&self, direction: Direction, shared: &Shared, chunks: &Receiver<Chunk>) {
        let (from, mut to) = self.ends(direction);
        while !self.is_closed(shared) {
            let (read_at, chunk) = match chunks.recv_timeout(POLL_INTERVAL) {
                Ok(chunk) => chunk,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.delay(direction, shared, read_at);
            if chunk.is_empty() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            let fault =
                if direction == Direction::ToClient { shared.take_reply_fault() } else { None };
            let bytes = match fault {
                Some(Fault::Reset) => {
                    reset_on_close(from);
                    reset_on_close(to);
                    return self.close();
                }
                Some(Fault::HalfClose) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Some(Fault::Truncate) => &chunk[..chunk.len() / 2],
                Some(Fault::Garbage(garbage)) => garbage,
                _ => &chunk,
            };
            if to.write_all(bytes).is_err() || fault == Some(Fault::Truncate) {
                return self.close();
            }
        }
    }

    /// Applies the faults that hold bytes back.
    fn delay(&self, direction: Direction, shared: &Shared, read_at: Instant) {
        let hold = match direction {
            Direction::ToServer => Fault::HoldRequests,
            Direction::ToClient => Fault::HoldReplies,
        };
        while shared.fault() == Some(hold) && !self.is_closed(shared) {
            thread::sleep(POLL_INTERVAL);
        }
        if let Some(Fault::Latency { each_way, jitter }) = shared.fault() {
            let due = read_at + each_way + jitter.mul_f64(fastrand::f64());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
