//! One lock's worth of buckets, and how full ones are forgotten.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rl_bucket::{Bucket, Micros};

/// Alone on its cache lines, so that neighbours do not slow each other down.
#[repr(align(128))]
pub(super) struct Shard(Mutex<Buckets>);

pub(super) struct Buckets {
    map: HashMap<Box<[u8]>, Bucket>,
    /// How many buckets the map may hold before the next sweep.
    sweep_at: usize,
}

pub(super) const SWEEP_LEAST: usize = 64;

// === impl Shard ===

impl Shard {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Buckets { map: HashMap::new(), sweep_at: SWEEP_LEAST }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Buckets> {
        // A bucket is replaced whole: even a panic under the lock leaves none half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Buckets ===

impl Buckets {
    /// A bucket as it was last written.
    pub(super) fn get(&self, key: &[u8]) -> Option<Bucket> {
        self.map.get(key).copied()
    }

    /// A bucket, unless it is full again: then it is forgotten, as Redis expires a key.
    pub(super) fn live(&mut self, key: &[u8], now: Micros) -> Option<Bucket> {
        let bucket = self.get(key)?;
        if expired(&bucket, now) {
            self.map.remove(key);
            return None;
        }
        Some(bucket)
    }

    pub(super) fn put(&mut self, key: &[u8], bucket: Bucket, now: Micros) {
        if let Some(slot) = self.map.get_mut(key) {
            *slot = bucket;
            return;
        }
        if self.map.len() >= self.sweep_at {
            self.map.retain(|_, bucket| !expired(bucket, now));
            self.sweep_at = SWEEP_LEAST.max(2 * self.map.len());
            self.map.shrink_to(self.sweep_at);
        }
        self.map.insert(key.into(), bucket);
    }

    /// Forgets a bucket; whether there was one that still lived.
    pub(super) fn remove(&mut self, key: &[u8], now: Micros) -> bool {
        self.map.remove(key).is_some_and(|bucket| !expired(&bucket, now))
    }

    /// How many buckets are held, full ones not yet swept out included.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

/// As Redis does it: at its expiry a key still lives, a millisecond later it does not.
fn expired(bucket: &Bucket, now: Micros) -> bool {
    bucket.expires_at_ms() < (now.get() / 1000).cast_signed()
}
