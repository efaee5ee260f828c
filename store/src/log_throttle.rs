//! Limits how often a log line is written, so that an outage under load cannot fill a disk.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Lets one line through per interval and counts the rest.
#[derive(Debug)]
pub struct LogThrottle {
    interval: Duration,
    start: Instant,
    /// Milliseconds after `start` before which nothing passes.
    closed_until: AtomicU64,
    skipped: AtomicU64,
}

/// The number of lines held back since the last one. Displays as the end of the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(u64);

// === impl LogThrottle ===

impl LogThrottle {
    /// Passes one line per `interval`.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            start: Instant::now(),
            closed_until: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// `Some` if a line may be written at `now`, with the number held back since the last one.
    pub fn pass(&self, now: Instant) -> Option<Skipped> {
        let at = millis(now.saturating_duration_since(self.start));
        let opened =
            self.closed_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                (until <= at).then(|| at.saturating_add(millis(self.interval)))
            });
        match opened {
            Ok(_) => Some(Skipped(self.skipped.swap(0, Ordering::Relaxed))),
            Err(_) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

// === impl Skipped ===

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} similar lines suppressed)"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LogThrottle, Skipped};

    #[test]
    fn one_line_passes_each_interval() {
        let throttle = LogThrottle::new(Duration::from_secs(1));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(after(10)), Some(Skipped(0)));
        assert_eq!(throttle.pass(after(11)), None);
        assert_eq!(throttle.pass(after(900)), None);
        assert_eq!(throttle.pass(after(1100)), Some(Skipped(2)));
        assert_eq!(throttle.pass(after(1200)), None);
    }
}
