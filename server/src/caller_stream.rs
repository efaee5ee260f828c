//! The bytes of a caller's connection, on their way to the HTTP decoder.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::upgrade_offers;

/// A caller's connection. It hides upgrade offers from the decoder, and ends once more has come
/// without a response than any request may have.
#[derive(Debug)]
pub(crate) struct CallerStream {
    stream: TcpStream,
    /// The bytes that have come since anything was sent.
    unanswered: usize,
}

/// The most bytes that are read without a response in between. The largest request is a batch of
/// 1 MiB, which takes six times that if each byte is a chunk.
const MAX_UNANSWERED: usize = 8 << 20;

// === impl CallerStream ===

impl CallerStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, unanswered: 0 }
    }
}

impl AsyncRead for CallerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unanswered > MAX_UNANSWERED {
            return Poll::Ready(Ok(())); // nothing was read, which is the end of the stream
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let received = &mut buffer.filled_mut()[before..];
        if !received.is_empty() {
            self.unanswered += received.len();
            upgrade_offers::hide(received);
        }
        polled
    }
}

impl AsyncWrite for CallerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.unanswered = 0;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unanswered = 0;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
