//! Counts and latencies of requests.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

/// The counts of one response.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CheckCounts {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    /// How many of these were decided without Redis.
    pub(super) degraded: u64,
    /// Errors in place of single decisions of a batch.
    pub(super) errors: Vec<RequestError>,
}

/// The kind of a failure. Texts do not vary within a kind, so there are few.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequestError(pub(super) Cow<'static, str>);

/// The counts and latencies of many requests.
#[derive(Debug)]
pub(super) struct LoadStats {
    pub(super) allowed: u64,
    pub(super) denied: u64,
    pub(super) degraded: u64,
    /// Checks by kind of error.
    pub(super) errors: BTreeMap<RequestError, u64>,
    /// Latencies of answered requests, in nanoseconds.
    pub(super) latency: Histogram<u64>,
}

/// The most kinds of errors that are told apart, which bounds memory whatever the target answers.
const MAX_KINDS: usize = 32;
const SIGNIFICANT_DIGITS: u8 = 3;

// === impl CheckCounts ===

impl CheckCounts {
    pub(super) fn count(&mut self, is_allowed: bool) {
        self.allowed += u64::from(is_allowed);
        self.denied += u64::from(!is_allowed);
    }
}

// === impl RequestError ===

impl From<&'static str> for RequestError {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for RequestError {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

// === impl LoadStats ===

impl LoadStats {
    pub(super) fn new() -> Self {
        Self {
            allowed: 0,
            denied: 0,
            degraded: 0,
            errors: BTreeMap::new(),
            // It grows with what is recorded.
            latency: Histogram::new(SIGNIFICANT_DIGITS)
                .unwrap_or_else(|_| unreachable!("0 to 5 digits are allowed")),
        }
    }

    /// Records a request of `checks` checks. A failed request is an error for each of them.
    pub(super) fn record(
        &mut self,
        result: Result<CheckCounts, RequestError>,
        checks: u64,
        latency: Duration,
    ) {
        match result {
            Ok(counts) => {
                self.allowed += counts.allowed;
                self.denied += counts.denied;
                self.degraded += counts.degraded;
                for error in counts.errors {
                    self.record_error(error, 1);
                }
                // A histogram that grows accepts every value.
                let _ = self.latency.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
            }
            Err(error) => self.record_error(error, checks),
        }
    }

    fn record_error(&mut self, error: RequestError, checks: u64) {
        let has_room = self.errors.len() < MAX_KINDS || self.errors.contains_key(&error);
        let error = if has_room { error } else { RequestError::from("other") };
        *self.errors.entry(error).or_default() += checks;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.degraded += other.degraded;
        for (error, checks) in &other.errors {
            self.record_error(error.clone(), *checks);
        }
        self.latency += &other.latency;
    }

    /// Checks that were allowed or denied.
    pub(super) fn decided(&self) -> u64 {
        self.allowed + self.denied
    }

    /// Checks without an answer.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The longest latency among the fastest `share` (0 to 1) of the requests.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.latency.value_at_quantile(share))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CheckCounts, LoadStats, MAX_KINDS, RequestError};

    #[test]
    fn stats_add_up() {
        let (mut one, mut total) = (LoadStats::new(), LoadStats::new());
        let errors = vec!["503".into()];
        let counts = CheckCounts { allowed: 2, denied: 3, degraded: 1, errors };
        one.record(Ok(counts), 6, Duration::from_millis(10));
        one.record(Err("connection refused".into()), 6, Duration::from_secs(1));
        let counts = CheckCounts { allowed: 6, ..CheckCounts::default() };
        one.record(Ok(counts), 6, Duration::from_millis(20));
        for _ in 0..2 {
            total.add(&one);
        }
        assert_eq!((total.allowed, total.denied, total.degraded), (16, 6, 2));
        assert_eq!((total.decided(), total.failed()), (22, 14));
        assert_eq!(total.errors[&RequestError::from("connection refused")], 12);
        assert_eq!(total.latency.len(), 4);
        for (share, ms) in [(0.5, 10), (0.99, 20)] {
            let difference = total.quantile(share).abs_diff(Duration::from_millis(ms));
            assert!(difference <= Duration::from_micros(20), "{share}: {difference:?}");
        }
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut stats = LoadStats::new();
        for kind in 0..1000 {
            stats.record(Err(format!("kind {kind}").into()), 1, Duration::ZERO);
        }
        assert_eq!(stats.errors.len(), MAX_KINDS + 1);
        assert_eq!(stats.failed(), 1000);
    }
}
