//! How the server is: what `/health/ready` reports, and the log lines about the store.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use log::{error, info, warn};

use crate::telemetry::Throttle;

/// Shared by all workers. Each Redis link reports here when it comes up, goes down or meets trouble.
///
/// Reasons passed in are logged, so they must hold nothing a caller has sent.
#[derive(Debug)]
pub struct Status {
    started: Instant,
    /// Links that must answer before the server is ready; 0 for the in-process store.
    links: usize,
    answered: AtomicUsize,
    up: AtomicUsize,
    serving: AtomicU8,
    misconfigured: AtomicBool,
    draining: AtomicBool,
    troubles: Throttle,
    retries: Throttle,
    /// Of the last trouble that was not held back.
    reason: Mutex<Option<Box<str>>>,
}

/// What computes the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Serving {
    /// Redis has not answered yet.
    Unknown,
    /// The in-process store.
    Memory,
    /// The Redis module.
    Module,
    /// The Lua scripts.
    Lua,
}

/// Whether requests should be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet: the store has not answered.
    Starting,
    /// Yes; if the store is down, checks are decided without it.
    Ready,
    /// No longer: the server is shutting down.
    Draining,
}

/// How long a server whose store does not answer waits before it serves without.
const PATIENCE: Duration = Duration::from_secs(10);

// === impl Status ===

impl Status {
    /// A server on the in-process store.
    pub fn memory() -> Self {
        Self::new(0, Serving::Memory)
    }

    /// A server on Redis with this many links.
    pub fn redis(links: usize) -> Self {
        Self::new(links, Serving::Unknown)
    }

    fn new(links: usize, serving: Serving) -> Self {
        Self {
            started: Instant::now(),
            links,
            answered: AtomicUsize::new(0),
            up: AtomicUsize::new(0),
            serving: AtomicU8::new(serving as u8),
            misconfigured: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            troubles: Throttle::new(Duration::from_secs(1)),
            retries: Throttle::new(Duration::from_secs(10)),
            reason: Mutex::new(None),
        }
    }

    /// What computed the buckets last.
    pub fn serving(&self) -> Serving {
        match self.serving.load(Ordering::Relaxed) {
            1 => Serving::Memory,
            2 => Serving::Module,
            3 => Serving::Lua,
            _ => Serving::Unknown,
        }
    }

    /// Whether the store can be asked.
    pub fn store_is_up(&self) -> bool {
        self.links == 0 || self.up.load(Ordering::Relaxed) > 0
    }

    /// Links that can be asked; with the in-process store there is none.
    pub fn links_up(&self) -> usize {
        self.up.load(Ordering::Relaxed)
    }

    /// Links that cannot.
    pub fn links_down(&self) -> usize {
        self.links.saturating_sub(self.links_up())
    }

    /// Whether requests should be sent here at `now`.
    ///
    /// A server that was told to use an engine the store lacks never becomes ready by waiting: that
    /// is a mistake to find at deployment, not an outage to sit out.
    pub fn readiness(&self, now: Instant) -> Readiness {
        let waited = now.saturating_duration_since(self.started) >= PATIENCE
            && !self.misconfigured.load(Ordering::Relaxed);
        if self.is_draining() {
            Readiness::Draining
        } else if waited || self.answered.load(Ordering::Relaxed) >= self.links {
            Readiness::Ready
        } else {
            Readiness::Starting
        }
    }

    /// What was last in the way of using the store, as it stands in the log; lines that are held back
    /// there do not count.
    pub fn reason(&self) -> Option<Box<str>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, reason: &str) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
    }

    /// Whether the server is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The server begins to shut down.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        info!("draining: finishing the requests in flight");
    }

    /// A link came up; `first` if it never was before.
    pub fn link_up(&self, serving: Serving, first: bool) {
        self.misconfigured.store(false, Ordering::Relaxed);
        if first {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        if self.up.fetch_add(1, Ordering::Relaxed) == 0 {
            self.serving.store(serving as u8, Ordering::Relaxed);
            info!("redis is up; engine: {}", serving.name());
        } else {
            self.link_replaced(serving);
        }
    }

    /// A link has another connection, perhaps to a server with another engine.
    pub fn link_replaced(&self, serving: Serving) {
        let before = self.serving.swap(serving as u8, Ordering::Relaxed);
        if before != serving as u8 {
            info!("engine is now: {}", serving.name());
        }
    }

    /// A link that was up is lost.
    pub fn link_down(&self, reason: &str) {
        let before = self.up.fetch_sub(1, Ordering::Relaxed);
        if self.is_draining() {
            return;
        }
        if before == 1 {
            self.note(reason);
            warn!("redis is down ({reason}): deciding without it until it is back");
        } else if let Some(skipped) = self.troubles.pass(Instant::now()) {
            self.note(reason);
            warn!("a connection to redis is lost ({reason}){skipped}");
        }
    }

    /// The store failed to decide, over a connection that stays.
    pub fn trouble(&self, reason: &str) {
        if let Some(skipped) = self.troubles.pass(Instant::now()) {
            self.note(reason);
            warn!("redis did not decide: {reason}{skipped}");
        }
    }

    /// A link could not be made.
    pub fn retrying(&self, reason: &str) {
        if let Some(skipped) = self.retries.pass(Instant::now()) {
            self.note(reason);
            warn!("cannot use redis, retrying: {reason}{skipped}");
        }
    }

    /// The store lacks the one engine that was asked for.
    pub fn misconfigured(&self, reason: &str) {
        self.misconfigured.store(true, Ordering::Relaxed);
        if self.retries.pass(Instant::now()).is_some() {
            self.note(reason);
            error!("{reason}");
        }
    }
}

// === impl Serving ===

impl Serving {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Memory, Self::Module, Self::Lua];

    /// As it is called in the log and in `/health/ready`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Memory => "memory",
            Self::Module => "module",
            Self::Lua => "lua",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Readiness, Serving, Status};

    #[test]
    fn memory_is_ready_at_once() {
        let status = Status::memory();
        assert_eq!(status.readiness(Instant::now()), Readiness::Ready);
        assert!(status.store_is_up());
        status.drain();
        assert_eq!(status.readiness(Instant::now()), Readiness::Draining);
    }

    #[test]
    fn redis_is_ready_when_every_link_has_answered_once() {
        let status = Status::redis(2);
        let now = Instant::now();
        status.link_up(Serving::Lua, true);
        status.link_down("test");
        status.link_up(Serving::Module, false);
        assert_eq!(status.readiness(now), Readiness::Starting);
        status.link_up(Serving::Module, true);
        assert_eq!(status.readiness(now), Readiness::Ready);
        assert_eq!(status.serving(), Serving::Module);
        status.link_down("test");
        assert!(status.store_is_up());
        status.link_down("test");
        assert!(!status.store_is_up());
        assert_eq!(status.readiness(now), Readiness::Ready);
    }

    #[test]
    fn patience_ends_unless_the_settings_are_wrong() {
        let status = Status::redis(1);
        let late = Instant::now() + Duration::from_secs(11);
        assert_eq!(status.readiness(late), Readiness::Ready);
        status.misconfigured("test");
        assert_eq!(status.readiness(late), Readiness::Starting);
        status.link_up(Serving::Module, true);
        assert_eq!(status.readiness(late), Readiness::Ready);
    }

    #[test]
    fn the_last_reason_that_was_logged() {
        let status = Status::redis(1);
        assert_eq!(status.reason(), None);
        status.retrying("refused");
        status.retrying("held back");
        assert_eq!(status.reason().as_deref(), Some("refused"));
        status.link_up(Serving::Lua, true);
        status.trouble("WRONGTYPE");
        assert_eq!(status.reason().as_deref(), Some("WRONGTYPE"));
        status.link_down("it hung up");
        assert_eq!(status.reason().as_deref(), Some("it hung up"));
    }
}
