//! The bytes of a caller's connection, on their way to the HTTP decoder.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use actix_web::web::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::framing::{Framing, LastHead};

/// A caller's connection. The decoder gets one request at a time from it, each head whole and
/// without upgrade offers. It ends once more has come without a response than any request may have.
///
/// actix-http decodes ahead, and then answers by the head that it decoded last: the response before
/// a `HEAD` has no body, `close` is said too early, and what follows a `close` is answered.
#[derive(Debug)]
pub(crate) struct CallerStream<S> {
    stream: S,
    framing: Framing,
    last_head: LastHead,
    /// What has come and the decoder has not got: the start of a head, or what was sent before the
    /// response.
    backlog: BytesMut,
    /// The length of the part of `backlog` that the decoder may have.
    released: usize,
    /// Whether a response has been written since the last request was given to the decoder.
    is_answered: bool,
    /// The decoder's task, if it waits for the backlog until the response.
    reader: Option<Waker>,
    /// The end of the time for the head in the backlog.
    head_deadline: Option<Pin<Box<Sleep>>>,
    /// The bytes that have come since anything was sent.
    unanswered: usize,
    /// The end of the time for the caller to take bytes, while it takes none.
    write_deadline: Option<Pin<Box<Sleep>>>,
}

/// The longest a caller may take for the head of a request, or to send its first.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest a caller may take no bytes that are sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes that are read without a response in between. The largest request is a batch of
/// 1 MiB, which takes six times that if each byte is a chunk.
const MAX_UNANSWERED: usize = 8 << 20;
/// The most reads of what has come by the end of a connection.
const MAX_LAST_READS: usize = 64;

/// The response that is followed by another, as actix-http writes it.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

// === impl CallerStream ===

impl<S: AsyncRead + AsyncWrite + Unpin> CallerStream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::Head,
            last_head: LastHead::default(),
            backlog: BytesMut::new(),
            released: 0,
            is_answered: false,
            reader: None,
            head_deadline: None,
            unanswered: 0,
            write_deadline: None,
        }
    }

    /// Moves the backlog into `buffer` as far as the decoder may have it. Returns whether that is
    /// anything.
    fn release(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        if self.released == 0 {
            self.released = self.framing.advance(&mut self.backlog, &mut self.last_head);
        }
        let len = self.released.min(buffer.remaining());
        if len == 0 {
            return false;
        }
        buffer.put_slice(&self.backlog[..len]);
        self.backlog.advance(len);
        self.released -= len;
        self.head_deadline = None;
        if self.backlog.is_empty() {
            self.backlog = BytesMut::new(); // most connections never hold anything again
        }
        true
    }

    /// Waits until the head in the backlog has taken too long, and says so.
    fn poll_head_timeout(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT)));
        ready!(deadline.as_mut().poll(context));
        // All responses before it have been written.
        let _ = Pin::new(&mut self.stream).poll_write(context, TIMED_OUT);
        self.framing = Framing::Refused;
        self.backlog.clear();
        Poll::Ready(())
    }

    /// Notes that `bytes` are about to be written.
    fn on_write(&mut self, bytes: &[u8]) {
        self.unanswered = 0;
        if bytes != CONTINUE {
            self.is_answered = true;
        }
    }

    /// Passes the outcome of a write on, and fails once the caller has taken nothing for too long.
    fn within_write_timeout(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Goes on to the next request once the last one is whole and its response written.
    fn on_written(&mut self) {
        if self.is_answered && self.framing == Framing::Whole {
            self.is_answered = false;
            self.framing = Framing::Head;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for CallerStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unanswered > MAX_UNANSWERED {
            return Poll::Ready(Ok(())); // nothing was read, which is the end of the stream
        }
        let start = buffer.filled().len();
        loop {
            if !this.backlog.is_empty() {
                if this.release(buffer) {
                    return Poll::Ready(Ok(()));
                }
                if this.framing != Framing::Head {
                    this.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
                if this.poll_head_timeout(context).is_ready() {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let received = &mut buffer.filled_mut()[start..];
            if received.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.unanswered += received.len();
            let len = if this.backlog.is_empty() {
                this.framing.advance(received, &mut this.last_head)
            } else {
                0
            };
            if len < received.len() {
                this.backlog.extend_from_slice(&received[len..]);
                buffer.set_filled(start + len);
            }
            if len > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for CallerStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.on_write(bytes);
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.within_write_timeout(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.on_write(slices.first().map_or(&[], |slice| slice));
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.within_write_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// actix-http flushes once it has written all that it had to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.on_written();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Reads what has come, since closing a socket with unread bytes resets the connection, and the
    /// caller might lose the response.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..MAX_LAST_READS {
            let mut discarded = [0; 4096];
            let mut discarded = ReadBuf::new(&mut discarded);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut discarded);
            if !matches!(read, Poll::Ready(Ok(()))) || discarded.filled().is_empty() {
                break;
            }
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
