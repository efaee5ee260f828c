//! Decides when a connection is given up whose replies do not come, or come too late.

use std::{cell::Cell, time::Instant};

/// Counts rounds of requests in a row that had no reply in time.
///
/// Requests in flight at the same time count as one round: a stuck connection shows by how long it
/// stays silent, not by how many callers wait. A late reply shows that the connection works; but
/// one that has been late for long serves nobody.
#[derive(Debug)]
pub(super) struct StallDetector {
    /// Rounds without a reply in time.
    late_rounds: Cell<u32>,
    /// Rounds without any reply.
    silent_rounds: Cell<u32>,
    /// When the last round was counted.
    counted_at: Cell<Instant>,
    /// The number of replies that had come by then.
    replies: Cell<u64>,
}

/// The reason to give a connection up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// Nothing comes.
    Silent,
    /// Everything comes too late.
    Late,
}

/// Rounds without any reply after which a connection counts as stuck.
const MAX_SILENT_ROUNDS: u32 = 3;
/// Rounds without a reply in time after which a connection is of no use. Each lasts a deadline.
const MAX_LATE_ROUNDS: u32 = 20;

// === impl StallDetector ===

impl StallDetector {
    /// A detector for a connection that has just answered, at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            late_rounds: Cell::new(0),
            silent_rounds: Cell::new(0),
            counted_at: Cell::new(now),
            replies: Cell::new(0),
        }
    }

    /// Records a reply in time, the last of `replies` on this connection.
    pub(super) fn on_reply(&self, replies: u64) {
        self.late_rounds.set(0);
        self.silent_rounds.set(0);
        self.replies.set(replies);
    }

    /// Records that a request sent at `sent_at` is given up at `now`, when `replies` have come on
    /// this connection. Returns whether, and why, the connection should be given up.
    pub(super) fn on_timeout(&self, sent_at: Instant, now: Instant, replies: u64) -> Option<Stall> {
        if sent_at >= self.counted_at.get() {
            self.counted_at.set(now);
            self.late_rounds.set(self.late_rounds.get() + 1);
            let is_silent = self.replies.replace(replies) == replies;
            self.silent_rounds.set(if is_silent { self.silent_rounds.get() + 1 } else { 0 });
        }
        if self.silent_rounds.get() >= MAX_SILENT_ROUNDS {
            Some(Stall::Silent)
        } else if self.late_rounds.get() >= MAX_LATE_ROUNDS {
            Some(Stall::Late)
        } else {
            None
        }
    }
}

// === impl Stall ===

impl Stall {
    /// The reason, for people.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Silent => "no reply in time",
            Self::Late => "replies take longer than the deadline",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{MAX_LATE_ROUNDS, Stall, StallDetector};

    #[test]
    fn silence_is_three_rounds_in_a_row_not_three_callers() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let detector = StallDetector::new(start);
        detector.on_reply(1);
        for sent in 0..10 {
            let stall = detector.on_timeout(at(sent), at(sent + 50), 1);
            assert_eq!(stall, None, "one round, sent at {sent}");
        }
        assert_eq!(detector.on_timeout(at(60), at(110), 1), None);
        detector.on_reply(2);
        assert_eq!(detector.on_timeout(at(120), at(170), 2), None);
        assert_eq!(detector.on_timeout(at(180), at(230), 2), None);
        assert_eq!(detector.on_timeout(at(240), at(290), 2), Some(Stall::Silent));
    }

    #[test]
    fn a_late_reply_is_a_sign_of_life_but_not_for_ever() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let detector = StallDetector::new(start);
        for round in 1..MAX_LATE_ROUNDS {
            let sent = u64::from(round) * 60;
            assert_eq!(detector.on_timeout(at(sent), at(sent + 50), round.into()), None);
        }
        let sent = u64::from(MAX_LATE_ROUNDS) * 60;
        assert_eq!(detector.on_timeout(at(sent), at(sent + 50), 99), Some(Stall::Late));
        detector.on_reply(100);
        assert_eq!(detector.on_timeout(at(sent + 60), at(sent + 110), 100), None);
    }
}
