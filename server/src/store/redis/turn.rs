//! Whose turn it is to connect: one attempt at a time for all workers, and fewer while they fail.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex as Busy, MutexGuard},
    time::sleep_until,
};

/// Attempts to reach one place, by all workers of the process.
///
/// Whoever has the turn keeps it until an attempt succeeds; then the others have theirs, one after the other. So a
/// place that is away is tried by one worker, and one that is back is not met by all of them at once.
///
/// Attempts that fail begin at random moments of steps that double from 50 ms to 1.8 s ("full jitter": [Exponential
/// Backoff And Jitter][aws]), about one a second in the end, so that fronts that lost the same Redis do not come back in step.
///
/// [aws]: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
#[derive(Debug)]
pub(super) struct Turn {
    busy: Busy<()>,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// Within which the next attempt after a failure begins.
    step: Duration,
    /// Before which none begins.
    next: Instant,
}

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_millis(1800);

// === impl Turn ===

impl Turn {
    pub(super) fn new() -> Self {
        let pace = Pace { step: FIRST, next: Instant::now() };
        Self { busy: Busy::new(()), pace: Mutex::new(pace) }
    }

    /// Waits for the turn.
    pub(super) async fn take(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().await
    }

    /// Waits, with the turn, until it is time for an attempt.
    pub(super) async fn pause(&self) {
        let next = self.pace().next;
        sleep_until(next.into()).await;
    }

    /// What began then came to nothing. Several that fail together count once.
    pub(super) fn failed(&self, began: Instant) {
        let mut pace = self.pace();
        if pace.next <= Instant::now() {
            pace.next = began + pace.step.mul_f64(fastrand::f64());
            pace.step = (pace.step * 2).min(LAST);
        }
    }

    /// What was connected was of use: the next failure is the first again.
    pub(super) fn lasted(&self) {
        self.pace().step = FIRST;
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        rc::Rc,
        time::{Duration, Instant},
    };

    use futures_util::future::join_all;
    use tokio::{task::yield_now, time::sleep};

    use super::{FIRST, LAST, Turn};

    #[test]
    fn steps_double_to_an_end_and_attempts_fall_anywhere_in_them() {
        let turn = Turn::new();
        for step in [50, 100, 200, 400, 800, 1600, 1800, 1800].map(Duration::from_millis) {
            assert_eq!(turn.pace().step, step);
            let began = Instant::now();
            turn.pace().next = began; // its time has come
            turn.failed(began);
            assert!(turn.pace().next <= began + step);
        }
        let mut waits = [0; 2];
        for _ in 0..1000 {
            let began = Instant::now();
            turn.pace().next = began;
            turn.failed(began);
            waits[usize::from(turn.pace().next > began + LAST / 2)] += 1;
        }
        assert!(waits.iter().all(|count| *count > 400), "{waits:?}");
        turn.lasted();
        assert_eq!(turn.pace().step, FIRST);
    }

    #[test]
    fn what_fails_together_counts_once() {
        let turn = Turn::new();
        let began = Instant::now();
        turn.pace().step = LAST;
        turn.failed(began);
        turn.pace().next = began + LAST;
        (0..8).for_each(|_| turn.failed(began));
        assert_eq!(turn.pace().next, began + LAST);
    }

    #[actix_web::test]
    async fn one_at_a_time() {
        let (turn, trying) = (Rc::new(Turn::new()), Rc::new(Cell::new(false)));
        join_all((0..8).map(async |_| {
            let guard = turn.take().await;
            turn.pause().await;
            assert!(!trying.replace(true));
            yield_now().await;
            sleep(Duration::from_millis(1)).await;
            trying.set(false);
            drop(guard);
        }))
        .await;
    }
}
