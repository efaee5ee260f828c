//! What came of the requests.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

/// What one request was answered.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    /// How many of these were decided without Redis.
    pub(super) degraded: u64,
    /// Those of its checks that were refused an answer.
    pub(super) refused: Vec<Trouble>,
}

/// Why there is no answer, by kind: there are few.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trouble(pub(super) Cow<'static, str>);

/// Sums.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) degraded: u64,
    pub(super) errors: BTreeMap<Trouble, u64>,
    /// Of the requests that were answered, in nanoseconds.
    pub(super) latency: Histogram<u64>,
}

/// Kinds of errors that are told apart: whatever answers, memory is bounded.
const KINDS: usize = 32;
const DIGITS: u8 = 3;

// === impl Trouble ===

impl From<&'static str> for Trouble {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            allowed: 0,
            denied: 0,
            degraded: 0,
            errors: BTreeMap::new(),
            // It grows with what is recorded.
            latency: Histogram::new(DIGITS).unwrap_or_else(|_| unreachable!("of 0 to 5 digits")),
        }
    }

    /// A request of so many checks, and how long it took.
    pub(super) fn record(
        &mut self,
        result: Result<Answer, Trouble>,
        checks: u64,
        latency: Duration,
    ) {
        match result {
            Ok(answer) => {
                self.allowed += answer.allowed;
                self.denied += answer.denied;
                self.degraded += answer.degraded;
                for trouble in answer.refused {
                    self.error(trouble, 1);
                }
                // A histogram that grows refuses nothing.
                let _ = self.latency.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
            }
            Err(trouble) => self.error(trouble, checks),
        }
    }

    fn error(&mut self, trouble: Trouble, checks: u64) {
        let known = self.errors.len() < KINDS || self.errors.contains_key(&trouble);
        let trouble = if known { trouble } else { Trouble::from("other") };
        *self.errors.entry(trouble).or_default() += checks;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.degraded += other.degraded;
        for (trouble, checks) in &other.errors {
            self.error(trouble.clone(), *checks);
        }
        self.latency += &other.latency;
    }

    /// Checks that were allowed or denied.
    pub(super) fn decided(&self) -> u64 {
        self.allowed + self.denied
    }

    /// Checks that got no answer.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// How long the fastest `part` (of 1) of the requests took at most.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(part))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answer, KINDS, Tally, Trouble};

    #[test]
    fn sums() {
        let (mut one, mut whole) = (Tally::new(), Tally::new());
        let answer = Answer { allowed: 2, denied: 3, degraded: 1, refused: vec!["503".into()] };
        one.record(Ok(answer), 6, Duration::from_millis(10));
        one.record(Err("connection refused".into()), 6, Duration::from_secs(1));
        one.record(Ok(Answer { allowed: 6, ..Answer::default() }), 6, Duration::from_millis(20));
        for _ in 0..2 {
            whole.add(&one);
        }
        assert_eq!((whole.allowed, whole.denied, whole.degraded), (16, 6, 2));
        assert_eq!((whole.decided(), whole.failed()), (22, 14));
        assert_eq!(whole.errors[&Trouble::from("connection refused")], 12);
        assert_eq!(whole.latency.len(), 4);
        let near = |part, ms: u64| {
            let off = whole.quantile(part).abs_diff(Duration::from_millis(ms));
            assert!(off <= Duration::from_micros(20), "{part}: {off:?}");
        };
        near(0.5, 10);
        near(0.99, 20);
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut tally = Tally::new();
        for kind in 0..1000 {
            tally.record(Err(format!("kind {kind}").into()), 1, Duration::ZERO);
        }
        assert_eq!(tally.errors.len(), KINDS + 1);
        assert_eq!(tally.failed(), 1000);
    }
}
