//! The operations on an amount of one bucket's tokens.

use crate::{Cost, Level, Step};

/// An operation on an amount of one bucket's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Takes the amount if the bucket holds it.
    Check,
    /// Gives the answer of a check and takes nothing.
    Peek,
    /// Gives the amount back, up to the capacity.
    Refund,
    /// Takes the amount, down to a debt of one capacity.
    Charge,
}

impl Level {
    /// Carries out an operation.
    pub fn apply(&self, op: Op, amount: Cost) -> Step {
        match op {
            Op::Check => self.check(amount),
            Op::Peek => Step { decision: self.peek(amount), write: None },
            Op::Refund => self.refund(amount),
            Op::Charge => self.charge(amount),
        }
    }
}
