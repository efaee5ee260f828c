//! The last known topology, which all workers share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::redis::address::Host;

/// The primary that the Sentinels named last, and when.
#[derive(Debug, Default)]
pub(in crate::redis) struct PrimaryCache(Mutex<Option<(Instant, Host)>>);

/// The last slot map that a worker has read, and when.
#[derive(Debug, Default)]
pub(in crate::redis) struct SlotMapCache(Mutex<Option<(Instant, Arc<[SlotRange]>)>>);

/// Consecutive hash slots, and the node that serves them. Several of them are a slot map.
#[derive(Debug, PartialEq)]
pub(in crate::redis) struct SlotRange {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(in crate::redis) host: Host,
}

// === impl PrimaryCache ===

impl PrimaryCache {
    /// The primary, if it was named within `max_age`.
    pub(super) fn within(&self, max_age: Duration) -> Option<Host> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached
            .as_ref()
            .filter(|(named_at, _)| named_at.elapsed() < max_age)
            .map(|(_, host)| host.clone())
    }

    /// Stores a primary that was named now.
    pub(super) fn store(&self, host: &Host) {
        let named = Some((Instant::now(), host.clone()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = named;
    }
}

// === impl SlotMapCache ===

impl SlotMapCache {
    /// The slot map, if it was read at `moment` or later.
    pub(super) fn read_since(&self, moment: Instant) -> Option<Arc<[SlotRange]>> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|(read_at, _)| *read_at >= moment).map(|(_, map)| map.clone())
    }

    /// Stores a slot map that was read now.
    pub(super) fn store(&self, map: Arc<[SlotRange]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), map));
    }
}
