//! When requests go out.
//!
//! With a rate the loop is open: the moments are fixed before the first request is sent, and each is
//! measured from its moment, not from when somebody had time to send it. What waits behind a slow answer is
//! so counted as slow too (there is no "coordinated omission"). Without a rate the loop is closed.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// Who sends what, and when: shared by all threads.
#[derive(Debug)]
pub(super) struct Load {
    /// Requests a second.
    rate: Option<f64>,
    /// How many requests a rate means in all.
    whole: u64,
    start: OnceLock<Instant>,
    stopped: AtomicBool,
    /// Requests whose moment has come, and that nobody has taken.
    due: Semaphore,
    released: AtomicU64,
    taken: AtomicU64,
}

/// A request to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// From 0.
    pub(super) number: u64,
    /// Since when it waits for its answer.
    pub(super) since: Instant,
}

/// A timer of the runtime's has a resolution of a millisecond, which is more than an answer takes. So the
/// moments are kept by a thread that sleeps, this long at least.
const TICK: Duration = Duration::from_micros(50);
/// How soon that thread learns that it is over.
const NAP: Duration = Duration::from_millis(50);

// === impl Load ===

impl Load {
    /// `rate` requests a second for `duration`; without a rate as many as somebody takes.
    pub(super) fn new(rate: Option<f64>, duration: Duration) -> Self {
        Self {
            rate,
            whole: rate.map_or(0, |rate| ((rate * duration.as_secs_f64()).ceil() as u64).max(1)),
            start: OnceLock::new(),
            stopped: AtomicBool::new(false),
            due: Semaphore::new(0),
            released: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    pub(super) fn has_rate(&self) -> bool {
        self.rate.is_some()
    }

    /// The clock starts, at `now`.
    pub(super) fn start(&self, now: Instant) {
        let _ = self.start.set(now);
    }

    /// After `elapsed`, no request is sent any more.
    pub(super) fn stop(&self, elapsed: Duration) {
        self.stopped.store(true, Ordering::Relaxed);
        self.due.close();
        if let Some(rate) = self.rate {
            self.released.fetch_max(due(elapsed, rate).min(self.whole), Ordering::Relaxed);
        }
    }

    /// The next request to send, when its moment has come; `None` when it is over.
    pub(super) async fn next(&self) -> Option<Ticket> {
        let Some(rate) = self.rate else {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let over = self.stopped.load(Ordering::Relaxed);
            return (!over).then(|| Ticket { number, since: Instant::now() });
        };
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let since = *self.start.get()? + moment(number, rate);
        Some(Ticket { number, since })
    }

    /// Keeps the moments of a rate, until it is over.
    pub(super) fn pace(&self) {
        let (Some(rate), Some(start)) = (self.rate, self.start.get()) else { return };
        let mut released = 0;
        while released < self.whole && !self.stopped.load(Ordering::Relaxed) {
            let elapsed = start.elapsed();
            let due = due(elapsed, rate).min(self.whole);
            if due > released {
                self.released.fetch_max(due, Ordering::Relaxed);
                self.due.add_permits(usize::try_from(due - released).unwrap_or(usize::MAX));
                released = due;
            }
            thread::sleep(moment(released, rate).saturating_sub(start.elapsed()).clamp(TICK, NAP));
        }
    }

    /// Requests whose moment has passed without anybody sending them: all connections were waiting for
    /// an answer.
    pub(super) fn missed(&self) -> u64 {
        let released = self.released.load(Ordering::Relaxed);
        released.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// Requests whose moment has come.
    pub(super) fn released(&self) -> u64 {
        self.released.load(Ordering::Relaxed)
    }
}

/// When a request is due, from the start.
fn moment(number: u64, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

/// How many are, by then.
fn due(elapsed: Duration, rate: f64) -> u64 {
    (elapsed.as_secs_f64() * rate) as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        thread,
        time::{Duration, Instant},
    };

    use super::{Load, due, moment};

    #[test]
    fn moments() {
        let ms = Duration::from_millis;
        for (rate, number, at) in [(1000.0, 0, 0), (1000.0, 7, 7), (0.5, 3, 6000), (2.0, 1, 500)] {
            assert_eq!(moment(number, rate), ms(at));
            assert_eq!(due(ms(at), rate), number + 1);
            assert_eq!(due(ms(at) + ms(1) / 2, rate), number + 1);
        }
    }

    #[tokio::test(flavor = "local")]
    async fn a_rate_is_kept_to_the_request() {
        for (rate, ms, whole) in [(1000.0, 50, 50), (1e6, 3, 3000), (0.001, 5, 1), (30.0, 50, 2)] {
            let load = Arc::new(Load::new(Some(rate), Duration::from_millis(ms)));
            let start = Instant::now();
            load.start(start);
            let pacer = thread::spawn({
                let load = Arc::clone(&load);
                move || load.pace()
            });
            for number in 0..whole {
                let ticket = load.next().await.unwrap();
                assert_eq!((ticket.number, ticket.since), (number, start + moment(number, rate)));
                assert!(Instant::now() >= ticket.since, "not before its time");
            }
            pacer.join().unwrap();
            assert_eq!((load.released(), load.missed()), (whole, 0));
            load.stop(Duration::from_millis(ms));
            assert!(load.next().await.is_none());
        }
    }

    #[tokio::test(flavor = "local")]
    async fn what_nobody_takes_is_missed() {
        let load = Load::new(Some(1000.0), Duration::from_millis(10));
        load.start(Instant::now());
        load.pace();
        load.next().await.unwrap();
        load.stop(Duration::from_millis(10));
        assert!(load.next().await.is_none());
        assert_eq!((load.released(), load.missed()), (10, 9));

        // Also what nobody was told to send: here the moments were not kept at all.
        for (elapsed, due) in [(0, 1), (4, 5), (10, 10), (1000, 10)] {
            let load = Load::new(Some(1000.0), Duration::from_millis(10));
            load.stop(Duration::from_millis(elapsed));
            assert_eq!((load.released(), load.missed()), (due, due));
        }
    }

    #[tokio::test(flavor = "local")]
    async fn without_a_rate_there_is_no_waiting() {
        let load = Load::new(None, Duration::from_secs(1));
        load.start(Instant::now());
        load.pace();
        for number in 0..100 {
            assert_eq!(load.next().await.unwrap().number, number);
        }
        load.stop(Duration::from_secs(1));
        assert!(load.next().await.is_none());
        assert_eq!(load.missed(), 0);
    }
}
