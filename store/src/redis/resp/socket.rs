//! The bytes of a connection: over TCP, plain or with TLS, or over a Unix socket.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    os::unix::fs::FileTypeExt,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::client::TlsStream;

use super::{addresses::Address, tls::TlsConfig};

/// A connected socket. Sending never waits: bytes that the socket does not take are kept, and
/// [`flush`](Self::flush) sends them.
pub(super) struct Socket {
    stream: RefCell<Stream>,
    /// Bytes that the stream has not taken yet.
    unsent: RefCell<Vec<u8>>,
    /// Whether the stream holds bytes that it has taken and not sent yet; TLS does.
    is_unflushed: Cell<bool>,
}

enum Stream {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Room for bytes read at once: more than a batch of 1,000 decisions takes.
const READ_SIZE: usize = 64 << 10;
/// The same over TLS, which is read a record at a time (RFC 8446, section 5.1).
const MAX_TLS_RECORD: usize = 16 << 10;
/// The time after which a peer that acknowledges nothing is taken for dead.
const USER_TIMEOUT: Duration = Duration::from_secs(5);
/// The time after which a silent peer is probed.
const KEEPALIVE: Duration = Duration::from_secs(15);

// === impl Socket ===

impl Socket {
    /// Connects to this address. A Unix socket has no TLS.
    pub(super) async fn connect(address: Address<'_>, tls: Option<&TlsConfig>) -> io::Result<Self> {
        let (host, address) = match address {
            Address::Tcp(host, address) => (host, address),
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).await;
                return socket.map(Stream::Unix).map(Self::new).map_err(|it| cause(&it, path));
            }
        };
        let socket = TcpStream::connect(address).await?;
        // A check is one small write: Nagle's algorithm would hold it back until the last one is
        // acknowledged.
        socket.set_nodelay(true)?;
        let options = SockRef::from(&socket);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
        options.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        options.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        Ok(Self::new(match tls {
            None => Stream::Plain(socket),
            Some(tls) => Stream::Tls(Box::new(tls.connect(&host.name, socket).await?)),
        }))
    }

    fn new(stream: Stream) -> Self {
        Self {
            stream: RefCell::new(stream),
            unsent: RefCell::default(),
            is_unflushed: Cell::new(false),
        }
    }

    /// Sends the bytes that the socket takes at once, and keeps the rest.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unsent = self.unsent.borrow_mut();
        if self.is_unflushed.get() || !unsent.is_empty() {
            unsent.extend_from_slice(bytes);
            return Ok(());
        }
        // Nothing waits here: where the socket is full, `flush` registers the task that does.
        let mut cx = Context::from_waker(Waker::noop());
        let mut sent = 0;
        while sent < bytes.len()
            && let Poll::Ready(count) = self.poll_write(&mut cx, &bytes[sent..])
        {
            sent += count?;
        }
        unsent.extend_from_slice(&bytes[sent..]);
        match self.poll_flush_stream(&mut cx) {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    /// Whether bytes were kept.
    pub(super) fn has_unsent(&self) -> bool {
        self.is_unflushed.get() || !self.unsent.borrow().is_empty()
    }

    /// Waits until all bytes that were kept are sent.
    pub(super) async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut unsent = self.unsent.borrow_mut();
            while !unsent.is_empty() {
                let count = ready!(self.poll_write(cx, &unsent))?;
                unsent.drain(..count);
            }
            self.poll_flush_stream(cx)
        })
        .await
    }

    /// Whether it is without TLS.
    pub(super) fn is_plain(&self) -> bool {
        matches!(&*self.stream.borrow(), Stream::Plain(_))
    }

    /// Waits for bytes and appends them to `buffer`. Returns false once the peer has closed.
    pub(super) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.reserve(match &*self.stream.borrow() {
            Stream::Plain(_) | Stream::Unix(_) => READ_SIZE,
            Stream::Tls(_) => MAX_TLS_RECORD,
        });
        poll_fn(|cx| {
            let mut stream = self.stream.borrow_mut();
            match ready!(pin!(stream.read_buf(buffer)).poll(cx)) {
                Ok(count) => Poll::Ready(Ok(count > 0)),
                // TLS without its own farewell; replies are whole or not by themselves.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(false))
                }
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let count = ready!(Pin::new(&mut *stream).poll_write(cx, bytes))?;
        self.is_unflushed.set(matches!(*stream, Stream::Tls(_)));
        match count {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush_stream(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_unflushed.get() {
            ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx))?;
            self.is_unflushed.set(false);
        }
        Poll::Ready(Ok(()))
    }
}

/// The error with the path, and what the system's own words leave open.
fn cause(error: &io::Error, path: &Path) -> io::Error {
    let is_socket = || path.metadata().is_ok_and(|it| it.file_type().is_socket());
    let reason = match error.kind() {
        io::ErrorKind::NotFound => {
            "no such file: is Redis running, with `unixsocket` in its configuration?".to_owned()
        }
        io::ErrorKind::PermissionDenied => "permission denied: this process's user needs write \
                                            permission (`unixsocketperm` and group)"
            .to_owned(),
        io::ErrorKind::ConnectionRefused if is_socket() => "no process listens there".to_owned(),
        io::ErrorKind::ConnectionRefused => "it is not a socket".to_owned(),
        io::ErrorKind::WouldBlock => "too many connections wait to be accepted".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("{}: {reason}", path.display()))
}

// === impl Stream ===

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
