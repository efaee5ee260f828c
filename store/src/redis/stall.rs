//! Decides when a connection that does not answer is given up.

use std::{cell::Cell, time::Instant};

/// Counts rounds of requests that went unanswered in a row.
///
/// Requests in flight at the same time count as one round: a stuck connection shows by how long it
/// stays silent, not by how many callers wait.
#[derive(Debug)]
pub(super) struct StallDetector {
    rounds: Cell<u32>,
    /// When the last round was counted.
    counted_at: Cell<Instant>,
}

/// Unanswered rounds after which a connection counts as stuck.
const MAX_ROUNDS: u32 = 3;

// === impl StallDetector ===

impl StallDetector {
    /// A detector for a connection that has just answered, at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { rounds: Cell::new(0), counted_at: Cell::new(now) }
    }

    /// Records a reply.
    pub(super) fn on_reply(&self) {
        self.rounds.set(0);
    }

    /// Records that a request sent at `sent_at` is given up at `now`. Returns whether the
    /// connection is stuck.
    pub(super) fn on_timeout(&self, sent_at: Instant, now: Instant) -> bool {
        if sent_at >= self.counted_at.get() {
            self.counted_at.set(now);
            self.rounds.set(self.rounds.get() + 1);
        }
        self.rounds.get() >= MAX_ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::StallDetector;

    #[test]
    fn a_stall_is_three_rounds_in_a_row_not_three_callers() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let detector = StallDetector::new(start);
        for sent in 0..10 {
            assert!(!detector.on_timeout(at(sent), at(sent + 50)), "one round, sent at {sent}");
        }
        assert!(!detector.on_timeout(at(60), at(110)));
        detector.on_reply();
        assert!(!detector.on_timeout(at(120), at(170)));
        assert!(!detector.on_timeout(at(180), at(230)));
        assert!(detector.on_timeout(at(240), at(290)));
    }
}
