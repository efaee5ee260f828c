//! The times at which requests are sent.
//!
//! With a rate the loop is open: times are fixed before the first request is sent, and latency
//! counts from the time a request was due, not from the time a connection was free to send it. So a
//! request that waits behind a slow answer counts as slow too (no "coordinated omission"). Without
//! a rate the loop is closed.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// Hands out the requests to send, to all threads.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Requests a second.
    rate: Option<f64>,
    /// Requests of the whole run, if it has a rate.
    total: u64,
    start: OnceLock<Instant>,
    is_stopped: AtomicBool,
    /// Requests that are due, and that no connection has taken.
    permits: Semaphore,
    due: AtomicU64,
    taken: AtomicU64,
}

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduledRequest {
    /// From 0.
    pub(super) number: u64,
    /// The time from which its latency counts.
    pub(super) due_at: Instant,
}

/// The shortest sleep of the thread that keeps the times. Tokio's timers have a resolution of a
/// millisecond, longer than an answer takes, so a thread sleeps instead.
const MIN_SLEEP: Duration = Duration::from_micros(50);
/// The longest sleep of that thread, and so of its reaction to the end of the run.
const MAX_SLEEP: Duration = Duration::from_millis(50);

// === impl Schedule ===

impl Schedule {
    /// `rate` requests a second for `duration`; without a rate, as many as connections take.
    pub(super) fn new(rate: Option<f64>, duration: Duration) -> Self {
        Self {
            rate,
            total: rate.map_or(0, |rate| ((rate * duration.as_secs_f64()).ceil() as u64).max(1)),
            start: OnceLock::new(),
            is_stopped: AtomicBool::new(false),
            permits: Semaphore::new(0),
            due: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    pub(super) fn has_rate(&self) -> bool {
        self.rate.is_some()
    }

    /// Starts the clock at `now`.
    pub(super) fn start(&self, now: Instant) {
        let _ = self.start.set(now);
    }

    /// Ends the sending of requests, `elapsed` after the start.
    pub(super) fn stop(&self, elapsed: Duration) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.permits.close();
        if let Some(rate) = self.rate {
            self.due.fetch_max(due_after(elapsed, rate).min(self.total), Ordering::Relaxed);
        }
    }

    /// Waits for the next request that is due. Returns `None` once the schedule is stopped.
    pub(super) async fn next(&self) -> Option<ScheduledRequest> {
        let Some(rate) = self.rate else {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let is_stopped = self.is_stopped.load(Ordering::Relaxed);
            return (!is_stopped).then(|| ScheduledRequest { number, due_at: Instant::now() });
        };
        self.permits.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let due_at = *self.start.get()? + offset(number, rate);
        Some(ScheduledRequest { number, due_at })
    }

    /// Blocks the thread and releases requests as they are due, until all are or the schedule is
    /// stopped.
    pub(super) fn pace(&self) {
        let (Some(rate), Some(start)) = (self.rate, self.start.get()) else { return };
        let mut released = 0;
        while released < self.total && !self.is_stopped.load(Ordering::Relaxed) {
            let due = due_after(start.elapsed(), rate).min(self.total);
            if due > released {
                self.due.fetch_max(due, Ordering::Relaxed);
                self.permits.add_permits(usize::try_from(due - released).unwrap_or(usize::MAX));
                released = due;
            }
            let wait = offset(released, rate).saturating_sub(start.elapsed());
            thread::sleep(wait.clamp(MIN_SLEEP, MAX_SLEEP));
        }
    }

    /// Requests that have come due.
    pub(super) fn due(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    /// Requests that came due but were not sent, as all connections waited for an answer.
    pub(super) fn unsent(&self) -> u64 {
        self.due().saturating_sub(self.taken.load(Ordering::Relaxed))
    }
}

/// The time from the start at which a request is due.
fn offset(number: u64, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

/// Requests that are due after `elapsed`.
fn due_after(elapsed: Duration, rate: f64) -> u64 {
    (elapsed.as_secs_f64() * rate) as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        thread,
        time::{Duration, Instant},
    };

    use super::{Schedule, due_after, offset};

    #[test]
    fn requests_are_due_at_even_intervals() {
        let ms = Duration::from_millis;
        for (rate, number, at) in [(1000.0, 0, 0), (1000.0, 7, 7), (0.5, 3, 6000), (2.0, 1, 500)] {
            assert_eq!(offset(number, rate), ms(at));
            assert_eq!(due_after(ms(at), rate), number + 1);
            assert_eq!(due_after(ms(at) + ms(1) / 2, rate), number + 1);
        }
    }

    #[tokio::test(flavor = "local")]
    async fn a_rate_is_kept_to_the_request() {
        for (rate, ms, total) in [(1000.0, 50, 50), (1e6, 3, 3000), (0.001, 5, 1), (30.0, 50, 2)] {
            let schedule = Arc::new(Schedule::new(Some(rate), Duration::from_millis(ms)));
            let start = Instant::now();
            schedule.start(start);
            let pacer = thread::spawn({
                let schedule = Arc::clone(&schedule);
                move || schedule.pace()
            });
            for number in 0..total {
                let request = schedule.next().await.unwrap();
                let due_at = start + offset(number, rate);
                assert_eq!((request.number, request.due_at), (number, due_at));
                assert!(Instant::now() >= due_at, "not before it is due");
            }
            pacer.join().unwrap();
            assert_eq!((schedule.due(), schedule.unsent()), (total, 0));
            schedule.stop(Duration::from_millis(ms));
            assert!(schedule.next().await.is_none());
        }
    }

    #[tokio::test(flavor = "local")]
    async fn requests_that_are_not_taken_are_unsent() {
        let schedule = Schedule::new(Some(1000.0), Duration::from_millis(10));
        schedule.start(Instant::now());
        schedule.pace();
        schedule.next().await.unwrap();
        schedule.stop(Duration::from_millis(10));
        assert!(schedule.next().await.is_none());
        assert_eq!((schedule.due(), schedule.unsent()), (10, 9));

        // Requests count as due even if the thread that releases them never ran.
        for (elapsed, due) in [(0, 1), (4, 5), (10, 10), (1000, 10)] {
            let schedule = Schedule::new(Some(1000.0), Duration::from_millis(10));
            schedule.stop(Duration::from_millis(elapsed));
            assert_eq!((schedule.due(), schedule.unsent()), (due, due));
        }
    }

    #[tokio::test(flavor = "local")]
    async fn without_a_rate_requests_are_due_at_once() {
        let schedule = Schedule::new(None, Duration::from_secs(1));
        schedule.start(Instant::now());
        schedule.pace();
        for number in 0..100 {
            assert_eq!(schedule.next().await.unwrap().number, number);
        }
        schedule.stop(Duration::from_secs(1));
        assert!(schedule.next().await.is_none());
        assert_eq!(schedule.unsent(), 0);
    }
}
