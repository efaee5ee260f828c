//! The status of the front: what `/health/ready` reports.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use log::info;
use rl_store::StoreHealth;

/// The status of the front, shared by its workers.
#[derive(Debug)]
pub struct Status {
    started: Instant,
    draining: AtomicBool,
    store: Arc<StoreHealth>,
}

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet: not every worker has reached the whole store.
    Starting,
    /// Yes. If the store is down, checks are decided without it.
    Ready,
    /// No longer: the front is shutting down.
    Draining,
}

/// The longest a front waits for a store that does not answer before it serves without it.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);

// === impl Status ===

impl Status {
    /// The status of a front that starts now, over a store with this health.
    pub fn new(store: Arc<StoreHealth>) -> Self {
        Self { started: Instant::now(), draining: AtomicBool::new(false), store }
    }

    /// The health of the store.
    pub fn store(&self) -> &StoreHealth {
        &self.store
    }

    /// Whether requests should be sent here at `now`.
    ///
    /// A front whose settings ask for an engine that the store lacks never becomes ready: that is a
    /// mistake to find at deployment, not an outage to wait out.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let has_waited = now.saturating_duration_since(self.started) >= STARTUP_TIMEOUT
            && !self.store.is_misconfigured();
        if self.is_draining() {
            Readiness::Draining
        } else if has_waited || self.store.all_have_been_whole() {
            Readiness::Ready
        } else {
            Readiness::Starting
        }
    }

    /// Whether the front is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Records that the front begins to shut down.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.store.close();
        info!("draining: finishing the requests in flight");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, Instant},
    };

    use rl_store::StoreHealth;

    use super::{Readiness, Status};

    #[test]
    fn a_front_over_memory_is_ready_at_once() {
        let status = Status::new(Arc::new(StoreHealth::memory()));
        assert_eq!(status.readiness(Instant::now()), Readiness::Ready);
        status.drain();
        assert_eq!(status.readiness(Instant::now()), Readiness::Draining);
    }

    #[test]
    fn a_front_over_redis_serves_without_it_after_ten_seconds() {
        let status = Status::new(Arc::new(StoreHealth::redis(1)));
        let now = Instant::now();
        assert_eq!(status.readiness(now), Readiness::Starting);
        assert_eq!(status.readiness(now + Duration::from_secs(11)), Readiness::Ready);
    }
}
