//! What clients have seen, and whether a limiter that keeps its promises can have shown it.
//!
//! A client knows when it asked and when it was answered; the decision was made at some moment in between.
//! Nothing here needs to know which: what is held against a promise is what must have happened whichever it was.

mod load;
mod window;

use std::time::Duration;

pub use self::load::{Ask, Limits, Load};
use self::window::{Admitted, Window};

/// One question and what came of it. Times are since the beginning of the load.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was asked.
    pub start: Duration,
    /// When it was answered.
    pub end: Duration,
    /// Which of the fronts was asked.
    pub front: usize,
    /// What was asked.
    pub ask: Ask,
    /// What was answered; nothing if the front went away.
    pub seen: Option<Seen>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// It may go on.
    pub allowed: bool,
    /// Decided without Redis.
    pub degraded: bool,
    /// The capacity that it speaks of.
    pub limit: u64,
    /// Whole tokens that were left.
    pub remaining: u64,
}

/// Records, in the order of their answers.
#[derive(Clone, Debug, Default)]
pub struct History(Vec<Record>);

/// Clocks of a process and of a server on one machine may differ so much in speed, while one is adjusted.
const DRIFT: f64 = 1e-3;

// === impl Record ===

impl Record {
    /// Allowed, whoever decided.
    pub fn is_allowed(&self) -> bool {
        self.seen.is_some_and(|seen| seen.allowed)
    }

    /// Decided without Redis.
    pub fn is_degraded(&self) -> bool {
        self.seen.is_some_and(|seen| seen.degraded)
    }

    /// Decided by Redis.
    pub fn is_normal(&self) -> bool {
        self.seen.is_some_and(|seen| !seen.degraded)
    }

    /// How long the answer took.
    pub fn took(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

// === impl History ===

impl History {
    /// Those of its records that `which` names.
    #[must_use]
    pub fn only(&self, which: impl Fn(&Record) -> bool) -> Self {
        Self(self.0.iter().filter(|record| which(record)).cloned().collect())
    }

    /// Every record.
    pub fn records(&self) -> &[Record] {
        &self.0
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cost of all that was allowed.
    pub fn admitted(&self) -> u64 {
        self.0.iter().filter(|record| record.is_allowed()).map(|record| record.ask.cost).sum()
    }

    /// The longest wait for an answer.
    pub fn slowest(&self) -> Duration {
        self.0.iter().map(Record::took).max().unwrap_or_default()
    }

    /// The wait that half of the answers did not exceed.
    pub fn median(&self) -> Duration {
        let mut took: Vec<_> = self.0.iter().map(Record::took).collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied().unwrap_or_default()
    }

    /// That in no stretch of time T more was admitted than `capacity + rate * T + extra`, with `rate` a
    /// second. Says which stretch it was, and fails.
    #[track_caller]
    pub fn assert_within(&self, what: &str, capacity: u64, rate: f64, extra: u64) {
        let promised = (capacity + extra) as f64;
        if let Some(Window { from, to, admitted, over }) = self.worst(rate)
            && over > promised + 1e-6
        {
            panic!(
                "{what}: {admitted} admitted from {from:.6} s to {to:.6} s, promised are {capacity} + {rate} a second + {extra}"
            );
        }
    }

    fn worst(&self, rate: f64) -> Option<Window> {
        let admitted = self.0.iter().filter(|record| record.is_allowed()).map(|record| Admitted {
            start: record.start.as_secs_f64(),
            end: record.end.as_secs_f64(),
            cost: record.ask.cost as f64,
        });
        window::worst(&admitted.collect::<Vec<_>>(), rate * (1.0 + DRIFT))
    }
}

impl FromIterator<Record> for History {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        Self(records.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::time::Duration;

    use super::{Ask, History, Limits, Record, Seen};

    /// Admitted questions: start and end in milliseconds, and cost.
    fn history(admitted: &[(u64, u64, u64)]) -> History {
        let record = |&(start, end, cost): &(u64, u64, u64)| Record {
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
            front: 0,
            ask: Ask { key: "k".to_owned(), limits: Limits::Policy("default"), cost },
            seen: Some(Seen { allowed: true, degraded: false, limit: 10, remaining: 0 }),
        };
        admitted.iter().map(record).collect()
    }

    /// Of a bucket of 10 that gains 10 a second.
    fn holds(history: &History, extra: u64) -> bool {
        panic::catch_unwind(|| history.assert_within("a test", 10, 10.0, extra)).is_ok()
    }

    #[test]
    fn the_bound_is_exact() {
        for (what, admitted, holds_with) in [
            ("nothing", &[][..], Some(0)),
            ("the capacity at once", &[(0, 1, 10)], Some(0)),
            ("one more at once", &[(0, 1, 10), (0, 1, 1)], Some(1)),
            ("one more after the time of one", &[(0, 1, 10), (100, 101, 1)], Some(0)),
            ("and a little too early", &[(0, 1, 10), (90, 95, 1)], Some(1)),
            ("early, perhaps: its answer came late", &[(0, 1, 10), (90, 101, 1)], Some(0)),
            ("late, perhaps: the first was asked early", &[(0, 95, 10), (90, 95, 1)], Some(1)),
            ("a burst in the middle of a slow day", &[(0, 1, 1), (60_000, 60_001, 12)], Some(2)),
            ("the same within the credit of a long time", &[(0, 60_000, 12)], Some(0)),
            ("twice the capacity, a bucket apart", &[(0, 1, 10), (500, 501, 10)], Some(5)),
            ("far too much", &[(0, 1, 1000)], None),
        ] {
            let history = history(admitted);
            match holds_with {
                Some(0) => assert!(holds(&history, 0), "{what}"),
                Some(extra) => {
                    assert!(!holds(&history, extra - 1), "{what}, with {} extra", extra - 1);
                    assert!(holds(&history, extra), "{what}, with {extra} extra");
                }
                None => assert!(!holds(&history, 900), "{what}"),
            }
        }
    }

    #[test]
    fn only_what_was_allowed_counts() {
        let mut records = history(&[(0, 1, 10), (1, 2, 10)]).records().to_vec();
        records[0].seen = None;
        assert!(holds(&records.iter().cloned().collect(), 0));
        records[0].seen = Some(Seen { allowed: false, degraded: true, limit: 10, remaining: 0 });
        assert!(holds(&records.into_iter().collect(), 0));
    }
}
