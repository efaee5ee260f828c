//! Closing a connection whose refused request body may never end.
//!
//! actix-http closes a connection if the request body was not read to its end. But it goes on
//! reading a chunked body, without a limit, once the body has been dropped. So the body is held
//! until the response is written.

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

/// A chunked request body, shared with its reader.
pub(super) struct HeldBody {
    _payload: Rc<RefCell<Payload>>,
}

/// A response body that holds the request body until it is written.
struct ResponseBody {
    body: BoxBody,
    _held: HeldBody,
}

// === impl HeldBody ===

impl HeldBody {
    /// Shares the body of a request if it is chunked.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let payload = Rc::new(RefCell::new(request.take_payload()));
        let reader = payload.clone();
        let stream: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
            Box::pin(poll_fn(move |context| {
                Pin::new(&mut *reader.borrow_mut()).poll_next(context)
            }));
        request.set_payload(stream.into());
        Some(Self { _payload: payload })
    }

    /// Closes the connection after this response.
    pub(super) fn close_after(self, mut response: ServiceResponse) -> ServiceResponse {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        response.map_body(|_, body| BoxBody::new(ResponseBody { body, _held: self }))
    }
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
