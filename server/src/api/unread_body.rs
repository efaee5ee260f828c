//! Request bodies that no handler has read to their end.
//!
//! What has arrived of such a body is discarded. If that is not all, the connection is closed after
//! the response. actix-http does that too, but it goes on reading a chunked body, without a limit,
//! once the body has been dropped; and it calls a body unread that has arrived in full, says
//! `close`, and then answers the next request. So the body is held until the response is written.

use std::{
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::ConnectionType,
    middleware::Next,
    web::Bytes,
};
use futures_util::{Stream, stream};

/// A response body that holds the request body until it is written.
struct ResponseBody {
    body: BoxBody,
    _held: Payload,
}

/// Passes a request on, and finishes its body.
pub(super) async fn call(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let payload = match request.take_payload() {
        Payload::None => return next.call(request).await,
        payload => Rc::new(RefCell::new(payload)),
    };
    let reader = payload.clone();
    let read = move |context: &mut Context<'_>| {
        let mut payload = reader.borrow_mut();
        let polled = Pin::new(&mut *payload).poll_next(context);
        if let Poll::Ready(None) = polled {
            *payload = Payload::None;
        }
        polled
    };
    let shared: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
        Box::pin(stream::poll_fn(read));
    request.set_payload(shared.into());
    let response = next.call(request).await?;
    let payload = mem::replace(&mut *payload.borrow_mut(), Payload::None);
    Ok(finish(payload, response).await)
}

/// Discards what has arrived of a body. If that is not all, closes the connection after `response`.
pub(super) async fn finish(mut payload: Payload, mut response: ServiceResponse) -> ServiceResponse {
    if has_arrived(&mut payload).await {
        return response;
    }
    response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    response.map_body(|_, body| BoxBody::new(ResponseBody { body, _held: payload }))
}

/// Reads what has arrived of a body. Returns whether that was all.
///
/// It is all in the payload on the second poll: actix-http calls the handler before it hands out
/// the body.
async fn has_arrived(payload: &mut Payload) -> bool {
    let mut is_second_poll = false;
    poll_fn(|context| {
        loop {
            return match Pin::new(&mut *payload).poll_next(context) {
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(end) => Poll::Ready(end.is_none()),
                Poll::Pending if is_second_poll => Poll::Ready(false),
                Poll::Pending => {
                    is_second_poll = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            };
        }
    })
    .await
}

// === impl ResponseBody ===

impl MessageBody for ResponseBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
