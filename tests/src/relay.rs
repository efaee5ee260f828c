//! A relay in front of a Redis that can refuse every command by itself, as that of a provider does
//! when a quota is used up.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fmt, mem};

use redis::Parser;

use crate::fault::CommandParser;

/// A running relay on a free port.
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    server: u16,
    stopped: AtomicBool,
    /// The error that answers every command.
    error: Mutex<Option<String>>,
}

/// A connection to the server, and the bytes that have come over it.
struct Replies {
    server: TcpStream,
    bytes: Vec<u8>,
}

// === impl Relay ===

impl Relay {
    /// Starts a relay to the server on this port of 127.0.0.1.
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let error = Mutex::default();
        let shared = Arc::new(Shared { server, stopped: AtomicBool::new(false), error });
        let of_acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_acceptor.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&of_acceptor);
                // Ends when either end closes its connection.
                thread::spawn(move || shared.relay(client));
            }
        });
        Self { port, shared, acceptor: Some(acceptor) }
    }

    /// The relay's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on answers every command with this error, and sends none on.
    pub fn refuse(&self, error: &str) {
        self.shared.set(Some(error.to_owned()));
    }

    /// Sends commands on again.
    pub fn accept(&self) {
        self.shared.set(None);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the acceptor.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("port", &self.port).finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    fn set(&self, error: Option<String>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers the commands of one client, in order: reads some, then sends all of their replies.
    fn relay(&self, mut client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut replies = Replies { server, bytes: Vec::new() };
        let (mut commands, mut values) = (CommandParser::default(), Parser::new());
        let (mut buffer, mut error) = (vec![0; 64 << 10], None);
        loop {
            let len = client.read(&mut buffer)?;
            if len == 0 {
                return Ok(());
            }
            // All of a command is answered in one way.
            if commands.is_between() {
                error = self.error();
            }
            let mut count = 0;
            commands.read(&buffer[..len], |_| count += 1);
            if let Some(error) = &error {
                client.write_all(format!("-{error}\r\n").repeat(count).as_bytes())?;
                continue;
            }
            replies.server.write_all(&buffer[..len])?;
            for _ in 0..count {
                values.parse_value(&mut replies).map_err(io::Error::other)?;
            }
            client.write_all(&mem::take(&mut replies.bytes))?;
        }
    }
}

// === impl Replies ===

impl Read for Replies {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.server.read(buffer)?;
        self.bytes.extend_from_slice(&buffer[..len]);
        Ok(len)
    }
}
