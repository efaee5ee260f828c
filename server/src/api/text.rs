//! Short texts, written without a formatter into one buffer for a whole response.

use actix_web::web::{Bytes, BytesMut};
use itoa::{Buffer, Integer};

/// Appends a number.
pub(super) fn push_number(text: &mut BytesMut, number: impl Integer) {
    text.extend_from_slice(Buffer::new().format(number).as_bytes());
}

/// Takes the text written since the last call.
pub(super) fn take(text: &mut BytesMut) -> Bytes {
    text.split().freeze()
}
