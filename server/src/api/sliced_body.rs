//! A large response body, sent piece by piece.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use tokio::task::yield_now;

/// A body of known length. Between its pieces others have a turn on the worker: to hand a megabyte
/// to the socket takes half a millisecond.
pub(super) struct SlicedBody {
    rest: Bytes,
    pause: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Most bytes of a piece.
pub(super) const PIECE: usize = 64 << 10;

// === impl SlicedBody ===

impl SlicedBody {
    pub(super) fn new(body: Bytes) -> Self {
        Self { rest: body, pause: None }
    }
}

impl MessageBody for SlicedBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(context));
        }
        this.pause = Some(Box::pin(yield_now()));
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::Pin};

    use actix_web::{
        body::{BodySize, MessageBody},
        web::Bytes,
    };
    use futures_util::FutureExt;

    use super::{PIECE, SlicedBody};

    #[actix_web::test]
    async fn the_body_is_sent_whole_with_a_pause_between_pieces() {
        let sent: Vec<u8> = (0..=255).cycle().take(2 * PIECE + 1).collect();
        let mut body = SlicedBody::new(Bytes::from(sent.clone()));
        assert_eq!(body.size(), BodySize::Sized(sent.len() as u64));
        let mut received = Vec::new();
        for len in [PIECE, PIECE, 1] {
            let mut next = Box::pin(poll_fn(|context| Pin::new(&mut body).poll_next(context)));
            let at_once = next.as_mut().now_or_never();
            assert_eq!(at_once.is_some(), received.is_empty(), "the first piece alone is at once");
            let piece = match at_once {
                Some(piece) => piece,
                None => next.await,
            };
            let Ok(piece) = piece.expect("a piece");
            assert_eq!(piece.len(), len);
            received.extend_from_slice(&piece);
        }
        assert_eq!(received, sent);
        let end = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await;
        assert!(end.is_none());
    }
}
