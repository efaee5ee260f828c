//! The operations on one bucket.

/// An operation on an amount of one bucket's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Takes the amount if the bucket holds that many.
    Check,
    /// Gives the answer of a check and takes nothing.
    Peek,
    /// Gives the amount back, up to the capacity.
    Refund,
    /// Takes the amount even if it is not there, down to a debt of one capacity.
    Charge,
}
