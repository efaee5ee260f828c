//! Short texts, written without a formatter into one buffer for a whole response.

use itoa::{Buffer, Integer};

/// Appends a number.
pub(super) fn push_number(text: &mut Vec<u8>, number: impl Integer) {
    text.extend_from_slice(Buffer::new().format(number).as_bytes());
}
