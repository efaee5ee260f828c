//! When a connection that does not answer is taken for stuck.

use std::{cell::Cell, time::Instant};

/// Checks that went unanswered in a row.
///
/// Those in flight at the same time count as one round: it is the length of a silence that tells a
/// stuck connection, not the number of callers who heard it.
#[derive(Debug)]
pub(super) struct Silence {
    rounds: Cell<u32>,
    /// When the last round was counted.
    counted: Cell<Instant>,
}

/// This many rounds, and the connection is stuck.
const ROUNDS: u32 = 3;

// === impl Silence ===

impl Silence {
    /// Of a connection that has just answered, at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { rounds: Cell::new(0), counted: Cell::new(now) }
    }

    /// An answer arrived.
    pub(super) fn heard(&self) {
        self.rounds.set(0);
    }

    /// At `now`, the check made at `sent` is given up; whether the connection is stuck.
    pub(super) fn unheard(&self, sent: Instant, now: Instant) -> bool {
        if sent >= self.counted.get() {
            self.counted.set(now);
            self.rounds.set(self.rounds.get() + 1);
        }
        self.rounds.get() >= ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Silence;

    #[test]
    fn three_rounds_in_a_row_not_three_callers() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let silence = Silence::new(start);
        for sent in 0..10 {
            assert!(!silence.unheard(at(sent), at(sent + 50)), "one round, sent at {sent}");
        }
        assert!(!silence.unheard(at(60), at(110)));
        silence.heard();
        assert!(!silence.unheard(at(120), at(170)));
        assert!(!silence.unheard(at(180), at(230)));
        assert!(silence.unheard(at(240), at(290)));
    }
}
