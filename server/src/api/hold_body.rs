//! Closing under a refused body that may never end.
//!
//! actix-http closes a connection whose request body was not read to the end, but one in chunks it goes on
//! reading for as long as the sender likes, once nobody holds the body any more. So the body is held
//! until the refusal is written.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    HttpMessage,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{ConnectionType, header::TRANSFER_ENCODING},
    web::Bytes,
};
use futures_util::{Stream, stream::poll_fn};

/// A request body in chunks, shared with whoever reads it.
pub(super) struct Unread {
    _body: Rc<RefCell<Payload>>,
}

/// A response body that holds the request's.
struct Holding {
    body: BoxBody,
    _unread: Unread,
}

// === impl Unread ===

impl Unread {
    /// Shares the body of a request, if it is in chunks.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let body = Rc::new(RefCell::new(request.take_payload()));
        let reader = body.clone();
        let stream: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
            Box::pin(poll_fn(move |context| {
                Pin::new(&mut *reader.borrow_mut()).poll_next(context)
            }));
        request.set_payload(stream.into());
        Some(Self { _body: body })
    }

    /// Closes the connection after this response.
    pub(super) fn close(self, mut response: ServiceResponse) -> ServiceResponse {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        response.map_body(|_, body| BoxBody::new(Holding { body, _unread: self }))
    }
}

// === impl Holding ===

impl MessageBody for Holding {
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
