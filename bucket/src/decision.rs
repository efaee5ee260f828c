//! The answer to a check, and its form on the wire: five integers.

/// The answer of a bucket under one limit. Tokens are whole and rounded down, times are whole
/// milliseconds and rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allowed, not yet, or never.
    pub outcome: Outcome,
    /// The capacity, in tokens.
    pub limit: u64,
    /// Tokens left after this decision; below zero while the bucket is in debt.
    pub remaining: i64,
    /// Milliseconds until the bucket is full if nothing is taken from it.
    pub reset_after_ms: u64,
}

/// Whether the check may proceed. "Not yet" and "never" differ: one is worth waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The bucket held the cost.
    Allowed,
    /// It did not. The same check, made alone `retry_after_ms` from now, will be allowed.
    NotYet {
        /// Milliseconds to wait, at least 1.
        retry_after_ms: u64,
    },
    /// The cost is above the capacity: no wait helps.
    Never,
}

// === impl Decision ===

impl Decision {
    /// The five integers of `RL.CHECK`: allowed (1 or 0), limit, remaining, retry_after_ms (0 when
    /// allowed, -1 for never), reset_after_ms.
    pub fn to_wire(self) -> [i64; 5] {
        let (allowed, retry_after) = match self.outcome {
            Outcome::Allowed => (1, 0),
            Outcome::NotYet { retry_after_ms } => (0, retry_after_ms.cast_signed()),
            Outcome::Never => (0, -1),
        };
        [
            allowed,
            self.limit.cast_signed(),
            self.remaining,
            retry_after,
            self.reset_after_ms.cast_signed(),
        ]
    }

    /// Reads the five integers back; `None` if they are not a decision.
    pub fn from_wire(wire: [i64; 5]) -> Option<Self> {
        let [allowed, limit, remaining, retry_after, reset_after] = wire;
        let outcome = match (allowed, retry_after) {
            (1, 0) => Outcome::Allowed,
            (0, 1..) => Outcome::NotYet { retry_after_ms: retry_after.cast_unsigned() },
            (0, -1) => Outcome::Never,
            _ => return None,
        };
        Some(Self {
            outcome,
            limit: u64::try_from(limit).ok()?,
            remaining,
            reset_after_ms: u64::try_from(reset_after).ok()?,
        })
    }

    /// Milliseconds until the same check, made alone, is allowed: 0 if it was allowed, `None` if it
    /// never will be.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Allowed => Some(0),
            Outcome::NotYet { retry_after_ms } => Some(retry_after_ms),
            Outcome::Never => None,
        }
    }

    /// Whether the check was allowed.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Outcome};

    #[test]
    fn decisions_round_trip_through_integers() {
        for (outcome, allowed, retry) in [
            (Outcome::Allowed, 1, 0),
            (Outcome::NotYet { retry_after_ms: 7 }, 0, 7),
            (Outcome::Never, 0, -1),
        ] {
            let decision = Decision { outcome, limit: 10, remaining: -3, reset_after_ms: 99 };
            assert_eq!(decision.to_wire(), [allowed, 10, -3, retry, 99]);
            assert_eq!(Decision::from_wire(decision.to_wire()), Some(decision));
        }
    }

    #[test]
    fn not_a_decision() {
        for wire in [
            [2, 1, 1, 0, 0],
            [1, 1, 1, 5, 0],
            [0, 1, 1, 0, 0],
            [0, 1, 1, -2, 0],
            [1, -1, 1, 0, 0],
            [1, 1, 1, 0, -1],
        ] {
            assert_eq!(Decision::from_wire(wire), None, "{wire:?}");
        }
    }
}
