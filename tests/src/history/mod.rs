//! A history of checks as clients saw them, and the promises that it is checked against.
//!
//! A client knows when it sent a request and when the reply arrived; the decision was made at some
//! moment in between. The checks here do not need that moment: they count only what holds wherever
//! it lies.

mod load;
mod window;

use std::time::Duration;

pub use self::load::{CheckRequest, LimitSource, Load};
use self::window::{Admission, Window};

/// One check and its outcome. Times are measured from the start of the load.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the request was sent.
    pub start: Duration,
    /// When the reply arrived.
    pub end: Duration,
    /// The index of the front that the request was sent to.
    pub front: usize,
    /// The request.
    pub request: CheckRequest,
    /// The decision; `None` if the front went away.
    pub decision: Option<Decision>,
}

/// A front's reply to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the caller may proceed.
    pub allowed: bool,
    /// Whether it was decided without Redis.
    pub degraded: bool,
    /// The capacity of the limit that decided.
    pub limit: u64,
    /// Whole tokens that were left.
    pub remaining: u64,
}

/// Records, in the order of their replies.
#[derive(Clone, Debug, Default)]
pub struct History(Vec<Record>);

/// The largest relative difference in speed between the clocks of a client and a server on one
/// machine, while one of them is being adjusted.
const DRIFT: f64 = 1e-3;

// === impl Record ===

impl Record {
    /// Whether the check was allowed, by Redis or without it.
    pub fn is_allowed(&self) -> bool {
        self.decision.is_some_and(|decision| decision.allowed)
    }

    /// Whether it was decided without Redis.
    pub fn is_degraded(&self) -> bool {
        self.decision.is_some_and(|decision| decision.degraded)
    }

    /// Whether Redis decided it.
    pub fn is_normal(&self) -> bool {
        self.decision.is_some_and(|decision| !decision.degraded)
    }

    /// Time from request to reply.
    pub fn latency(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

// === impl History ===

impl History {
    /// The records that satisfy `predicate`.
    #[must_use]
    pub fn only(&self, predicate: impl Fn(&Record) -> bool) -> Self {
        Self(self.0.iter().filter(|record| predicate(record)).cloned().collect())
    }

    /// Every record.
    pub fn records(&self) -> &[Record] {
        &self.0
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The total cost of the checks that were allowed.
    pub fn admitted(&self) -> u64 {
        self.0.iter().filter(|record| record.is_allowed()).map(|record| record.request.cost).sum()
    }

    /// The highest latency.
    pub fn slowest(&self) -> Duration {
        self.0.iter().map(Record::latency).max().unwrap_or_default()
    }

    /// The median latency.
    pub fn median(&self) -> Duration {
        let mut latencies: Vec<_> = self.0.iter().map(Record::latency).collect();
        latencies.sort_unstable();
        latencies.get(latencies.len() / 2).copied().unwrap_or_default()
    }

    /// Asserts that no window of length T admitted more than `capacity + rate * T + extra`, with
    /// `rate` in tokens a second. The message names the worst window.
    #[track_caller]
    pub fn assert_within(&self, what: &str, capacity: u64, rate: f64, extra: u64) {
        let allowance = (capacity + extra) as f64;
        if let Some(Window { from, to, admitted, excess }) = self.worst_window(rate)
            && excess > allowance + 1e-6
        {
            panic!(
                "{what}: {admitted} admitted from {from:.6} s to {to:.6} s, more than \
                 {capacity} + {rate} a second + {extra}"
            );
        }
    }

    fn worst_window(&self, rate: f64) -> Option<Window> {
        let allowed = self.0.iter().filter(|record| record.is_allowed());
        let admissions = allowed.map(|record| Admission {
            start: record.start.as_secs_f64(),
            end: record.end.as_secs_f64(),
            cost: record.request.cost as f64,
        });
        window::worst(&admissions.collect::<Vec<_>>(), rate * (1.0 + DRIFT))
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

    use super::{CheckRequest, Decision, History, LimitSource, Record};

    /// Builds a history of allowed checks from start and end (in milliseconds) and cost.
    fn history(admissions: &[(u64, u64, u64)]) -> History {
        let record = |&(start, end, cost): &(u64, u64, u64)| Record {
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
            front: 0,
            request: CheckRequest {
                key: "k".to_owned(),
                limits: LimitSource::Policy("default"),
                cost,
            },
            decision: Some(Decision { allowed: true, degraded: false, limit: 10, remaining: 0 }),
        };
        admissions.iter().map(record).collect()
    }

    /// Whether the history fits a bucket of 10 that gains 10 a second.
    fn holds(history: &History, extra: u64) -> bool {
        panic::catch_unwind(|| history.assert_within("a test", 10, 10.0, extra)).is_ok()
    }

    #[test]
    fn the_bound_is_exact() {
        for (what, admissions, holds_with) in [
            ("nothing", &[][..], Some(0)),
            ("the capacity at once", &[(0, 1, 10)], Some(0)),
            ("one more at once", &[(0, 1, 10), (0, 1, 1)], Some(1)),
            ("one more after one was refilled", &[(0, 1, 10), (100, 101, 1)], Some(0)),
            ("one more, a little too early", &[(0, 1, 10), (90, 95, 1)], Some(1)),
            ("early or not: the reply came late", &[(0, 1, 10), (90, 101, 1)], Some(0)),
            ("late or not: the first was sent early", &[(0, 95, 10), (90, 95, 1)], Some(1)),
            ("a burst after a long pause", &[(0, 1, 1), (60_000, 60_001, 12)], Some(2)),
            ("as many, spread over a minute", &[(0, 60_000, 12)], Some(0)),
            ("twice the capacity, half a second apart", &[(0, 1, 10), (500, 501, 10)], Some(5)),
            ("far too much", &[(0, 1, 1000)], None),
        ] {
            let history = history(admissions);
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
    fn only_allowed_checks_count() {
        let denied = Decision { allowed: false, degraded: true, limit: 10, remaining: 0 };
        let mut records = history(&[(0, 1, 10), (1, 2, 10)]).records().to_vec();
        records[0].decision = None;
        assert!(holds(&records.iter().cloned().collect(), 0));
        records[0].decision = Some(denied);
        assert!(holds(&records.into_iter().collect(), 0));
    }
}
