//! The requests in what a caller sends: where each begins and ends (RFC 9112, section 6).
//!
//! It never disagrees with the decoder of actix-http about a request that this accepts. Behind one
//! that it refuses, it gets nothing.

mod chunks;
mod head;

pub(crate) use self::head::LastHead;
use self::{chunks::Chunks, head::BodyLen};

/// The place in a request of the next byte that is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// In a head, or before one.
    Head,
    /// In a body with so many bytes to come.
    Sized(u64),
    /// In a chunked body.
    Chunked(Chunks),
    /// Behind a request that was not answered yet.
    Whole,
    /// Behind a head that the decoder refuses.
    Refused,
}

/// The longest head that the decoder accepts.
const MAX_HEAD: usize = 128 << 10;

// === impl Framing ===

impl Framing {
    /// Moves on over the part of `bytes` that the decoder may have: a head only once it is whole,
    /// with the upgrade offers in it hidden, and nothing behind the end of a request. Returns its
    /// length.
    pub(crate) fn advance(&mut self, bytes: &mut [u8], last_head: &mut LastHead) -> usize {
        let mut len = 0;
        if *self == Self::Head {
            match last_head.read(bytes) {
                Some(head) => {
                    len = head.len;
                    *self = match head.body_len {
                        BodyLen::Sized(len) => Self::Sized(len),
                        BodyLen::Chunked => Self::Chunked(Chunks::default()),
                        BodyLen::Unknown => Self::Refused,
                    };
                }
                None if bytes.len() >= MAX_HEAD || head::is_invalid(bytes) => {
                    len = bytes.len();
                    *self = Self::Refused;
                }
                None => return 0,
            }
        }
        match self {
            Self::Sized(left) => {
                let rest = bytes.len() - len;
                let taken = usize::try_from(*left).map_or(rest, |left| left.min(rest));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Whole;
                }
                len + taken
            }
            Self::Chunked(chunks) => {
                len += chunks.advance(&bytes[len..]);
                if *chunks == Chunks::End {
                    *self = Self::Whole;
                }
                len
            }
            Self::Head | Self::Whole | Self::Refused => len,
        }
    }
}

#[cfg(test)]
mod tests;
