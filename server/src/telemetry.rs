//! Logging: where lines go, and how few of them a bad hour may write.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Without `RUST_LOG`: level info. actix logs every request it cannot read as an error of its own, so
/// anyone who can connect could fill the log.
const FILTER: &str = "info,actix_server=warn,actix_http=off";

/// Sends the log to stderr, at the levels that `RUST_LOG` gives.
pub fn init() {
    let levels = env_logger::Env::default().default_filter_or(FILTER);
    env_logger::Builder::from_env(levels).init();
}

/// Lets one line through per interval and counts the rest, so that an outage under load cannot fill
/// a disk.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    start: Instant,
    /// Milliseconds after `start` before which nothing passes.
    closed_until: AtomicU64,
    skipped: AtomicU64,
}

/// How many lines were held back; it displays as the end of the line that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(u64);

// === impl Throttle ===

impl Throttle {
    /// One line per `every`.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            start: Instant::now(),
            closed_until: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// `Some` if a line may be written at `now`: how many were held back since the last one.
    pub fn pass(&self, now: Instant) -> Option<Skipped> {
        let at = millis(now.saturating_duration_since(self.start));
        let opened =
            self.closed_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                (until <= at).then(|| at.saturating_add(millis(self.every)))
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
            count => write!(f, " ({count} such lines held back)"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Skipped, Throttle};

    #[test]
    fn one_line_a_second() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(after(10)), Some(Skipped(0)));
        assert_eq!(throttle.pass(after(11)), None);
        assert_eq!(throttle.pass(after(900)), None);
        assert_eq!(throttle.pass(after(1100)), Some(Skipped(2)));
        assert_eq!(throttle.pass(after(1200)), None);
    }
}
