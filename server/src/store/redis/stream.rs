//! A connection's bytes, plain or over TLS.
//!
//! Nothing here waits but the two functions that say so: what the socket does not take is kept, what it does not
//! have is not there yet. So TLS is a step between bytes and socket, not another kind of socket.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConnection;

use super::{lookup::lookup, tls::Tls};
use crate::settings::Host;

/// A connection.
pub(super) struct Stream {
    socket: TcpStream,
    /// What the socket did not take yet.
    unsent: RefCell<Vec<u8>>,
    tls: Option<RefCell<ClientConnection>>,
}

/// The socket as blocking code sees it that never blocks.
struct Socket<'a>(&'a TcpStream);

/// Bytes read at once: a batch of 1,000 answers is less.
const READ: usize = 64 << 10;
/// A peer that acknowledges nothing for so long is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);
/// And one that is silent is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

// === impl Stream ===

impl Stream {
    /// Connects; a host of several addresses is tried at each.
    pub(super) async fn connect(host: &Host, tls: Option<&Tls>) -> io::Result<Self> {
        let socket = TcpStream::connect(lookup(host).await?.as_slice()).await?;
        // A check is one small write: Nagle's algorithm would hold it back until the last is acknowledged.
        socket.set_nodelay(true)?;
        let options = SockRef::from(&socket);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
        options.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        options.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        let tls = tls.map(|tls| tls.session(&host.name)).transpose()?.map(RefCell::new);
        let stream = Self { socket, unsent: RefCell::default(), tls };
        stream.shake_hands().await?;
        Ok(stream)
    }

    async fn shake_hands(&self) -> io::Result<()> {
        let Some(tls) = &self.tls else { return Ok(()) };
        while tls.borrow().is_handshaking() {
            self.flush()?;
            if tls.borrow().wants_write() {
                self.socket.writable().await?;
            } else {
                self.socket.readable().await?;
                let received = self.receive(&mut tls.borrow_mut(), &mut Vec::new());
                if received.is_err() {
                    let _ = self.flush(); // the peer should hear why
                }
                if !received? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        self.flush()
    }

    /// Writes at once what the socket takes, and keeps the rest.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            tls.borrow_mut().writer().write_all(bytes)?;
            return self.flush();
        }
        let mut unsent = self.unsent.borrow_mut();
        let sent = match unsent.is_empty() {
            true => taken(self.socket.try_write(bytes))?,
            false => 0,
        };
        unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Whether something was kept.
    pub(super) fn is_unsent(&self) -> bool {
        match &self.tls {
            Some(tls) => tls.borrow().wants_write(),
            None => !self.unsent.borrow().is_empty(),
        }
    }

    /// Writes of what was kept as much as the socket takes now.
    pub(super) fn flush(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let mut tls = tls.borrow_mut();
            while tls.wants_write() && taken(tls.write_tls(&mut Socket(&self.socket)))? > 0 {}
            return Ok(());
        }
        let mut unsent = self.unsent.borrow_mut();
        if !unsent.is_empty() {
            let sent = taken(self.socket.try_write(&unsent))?;
            unsent.drain(..sent);
        }
        Ok(())
    }

    /// Appends what has arrived; false if the peer will send no more.
    pub(super) fn read(&self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        if let Some(tls) = &self.tls {
            return self.receive(&mut tls.borrow_mut(), buffer);
        }
        buffer.reserve(READ);
        match self.socket.try_read_buf(buffer) {
            Ok(read) => Ok(read > 0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn receive(&self, tls: &mut ClientConnection, buffer: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            match tls.read_tls(&mut Socket(&self.socket)) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let (from, more) = (buffer.len(), state.plaintext_bytes_to_read());
            buffer.resize(from + more, 0);
            tls.reader().read_exact(&mut buffer[from..])?;
        }
    }

    /// Waits until there may be something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Waits until there may be room to write.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }
}

/// How much the socket took; nothing is no error.
fn taken(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

// === impl Socket ===

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
