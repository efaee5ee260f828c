//! Short texts, written without a formatter into one buffer for a whole response.

use actix_web::web::{Bytes, BytesMut};
use itoa::{Buffer, Integer};

/// Appends a number.
pub(super) fn number(text: &mut BytesMut, number: impl Integer) {
    text.extend_from_slice(Buffer::new().format(number).as_bytes());
}

/// What was written since the last end.
pub(super) fn end(text: &mut BytesMut) -> Bytes {
    text.split().freeze()
}
