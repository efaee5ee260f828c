//! Attempts to connect: one at a time for all workers, and less often while they fail.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard},
    time::sleep_until,
};

/// The gate through which all workers of a process connect to one endpoint.
///
/// The worker inside keeps its permit until an attempt succeeds; then the others follow, one after
/// the other. So one worker tries a server that is away, and a server that is back does not meet
/// all of them at once.
///
/// While attempts fail, the next one starts at a random moment of a window that doubles from 50 ms
/// to 1.8 s ("full jitter": [Exponential Backoff And Jitter][aws]), in the end about one a second,
/// so that fronts that lost the same Redis do not come back in step.
///
/// [aws]: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
#[derive(Debug)]
pub(super) struct ReconnectGate {
    permit: AsyncMutex<()>,
    backoff: Mutex<Backoff>,
}

#[derive(Debug)]
struct Backoff {
    /// The window in which the attempt after the next failure starts.
    window: Duration,
    /// The earliest start of the next attempt.
    next: Instant,
}

const MIN_WINDOW: Duration = Duration::from_millis(50);
const MAX_WINDOW: Duration = Duration::from_millis(1800);

// === impl ReconnectGate ===

impl ReconnectGate {
    pub(super) fn new() -> Self {
        let backoff = Backoff { window: MIN_WINDOW, next: Instant::now() };
        Self { permit: AsyncMutex::new(()), backoff: Mutex::new(backoff) }
    }

    /// Waits for the permit.
    pub(super) async fn acquire(&self) -> MutexGuard<'_, ()> {
        self.permit.lock().await
    }

    /// Waits, with the permit, until the next attempt may start.
    pub(super) async fn wait(&self) {
        let next = self.backoff().next;
        sleep_until(next.into()).await;
    }

    /// Records a failed attempt that started at `started`. Failures of one round count once, so the
    /// window doubles at most once per round.
    pub(super) fn record_failure(&self, started: Instant) {
        let mut backoff = self.backoff();
        if backoff.next <= Instant::now() {
            backoff.next = started + backoff.window.mul_f64(fastrand::f64());
            backoff.window = (backoff.window * 2).min(MAX_WINDOW);
        }
    }

    /// Resets the backoff after a connection that lasted.
    pub(super) fn reset(&self) {
        self.backoff().window = MIN_WINDOW;
    }

    fn backoff(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
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

    use super::{MAX_WINDOW, MIN_WINDOW, ReconnectGate};

    #[test]
    fn windows_double_up_to_a_bound_and_attempts_fall_anywhere_in_them() {
        let gate = ReconnectGate::new();
        for window in [50, 100, 200, 400, 800, 1600, 1800, 1800].map(Duration::from_millis) {
            assert_eq!(gate.backoff().window, window);
            let started = Instant::now();
            gate.backoff().next = started; // the attempt may start
            gate.record_failure(started);
            assert!(gate.backoff().next <= started + window);
        }
        let mut waits = [0; 2];
        for _ in 0..1000 {
            let started = Instant::now();
            gate.backoff().next = started;
            gate.record_failure(started);
            waits[usize::from(gate.backoff().next > started + MAX_WINDOW / 2)] += 1;
        }
        assert!(waits.iter().all(|count| *count > 400), "{waits:?}");
        gate.reset();
        assert_eq!(gate.backoff().window, MIN_WINDOW);
    }

    #[test]
    fn failures_of_one_round_count_once() {
        let gate = ReconnectGate::new();
        let started = Instant::now();
        gate.backoff().window = MAX_WINDOW;
        gate.record_failure(started);
        gate.backoff().next = started + MAX_WINDOW;
        (0..8).for_each(|_| gate.record_failure(started));
        assert_eq!(gate.backoff().next, started + MAX_WINDOW);
    }

    #[tokio::test(flavor = "local")]
    async fn one_worker_at_a_time_holds_the_permit() {
        let (gate, is_trying) = (Rc::new(ReconnectGate::new()), Rc::new(Cell::new(false)));
        join_all((0..8).map(async |_| {
            let permit = gate.acquire().await;
            gate.wait().await;
            assert!(!is_trying.replace(true));
            yield_now().await;
            sleep(Duration::from_millis(1)).await;
            is_trying.set(false);
            drop(permit);
        }))
        .await;
    }
}
