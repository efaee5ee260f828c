//! One lock's worth of buckets, and how full ones are forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use rl_bucket::{Bucket, Micros};

/// Alone on its cache lines, so that neighbours do not slow each other down.
#[repr(align(128))]
pub(super) struct Shard(Mutex<Buckets>);

pub(super) struct Buckets {
    table: HashTable<Held>,
    /// How many buckets the table may hold before the next sweep.
    sweep_at: usize,
}

/// What a bucket is found by.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) name: &'a [u8],
    pub(super) hash: u64,
}

struct Held {
    name: Box<[u8]>,
    hash: u64,
    bucket: Bucket,
}

pub(super) const SWEEP_LEAST: usize = 64;

// === impl Shard ===

impl Shard {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Buckets { table: HashTable::new(), sweep_at: SWEEP_LEAST }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Buckets> {
        // A bucket is replaced whole: even a panic under the lock leaves none half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Buckets ===

impl Buckets {
    /// A bucket as it was last written.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Bucket> {
        self.table.find(key.hash, |held| *held.name == *key.name).map(|held| held.bucket)
    }

    /// Shows a bucket to `change`, and writes what that makes of it. One that is full again is not shown but
    /// forgotten, as Redis expires a key.
    pub(super) fn change<T>(
        &mut self,
        key: Key<'_>,
        now: Micros,
        change: impl FnOnce(Option<Bucket>) -> (T, Option<Bucket>),
    ) -> T {
        let Ok(mut slot) = self.table.find_entry(key.hash, |held| *held.name == *key.name) else {
            let (said, write) = change(None);
            if let Some(bucket) = write {
                self.insert(key, bucket, now);
            }
            return said;
        };
        let bucket = slot.get().bucket;
        let live = !expired(&bucket, now);
        let (said, write) = change(live.then_some(bucket));
        match write {
            Some(bucket) => slot.get_mut().bucket = bucket,
            None if live => {}
            None => drop(slot.remove()),
        }
        said
    }

    /// A bucket, unless it is full again.
    pub(super) fn live(&mut self, key: Key<'_>, now: Micros) -> Option<Bucket> {
        self.change(key, now, |stored| (stored, None))
    }

    pub(super) fn put(&mut self, key: Key<'_>, bucket: Bucket, now: Micros) {
        self.change(key, now, |_| ((), Some(bucket)));
    }

    /// Forgets a bucket; whether there was one that still lived.
    pub(super) fn remove(&mut self, key: Key<'_>, now: Micros) -> bool {
        match self.table.find_entry(key.hash, |held| *held.name == *key.name) {
            Ok(slot) => !expired(&slot.remove().0.bucket, now),
            Err(_) => false,
        }
    }

    /// How many buckets are held, full ones not yet swept out included.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn insert(&mut self, key: Key<'_>, bucket: Bucket, now: Micros) {
        if self.table.len() >= self.sweep_at {
            self.table.retain(|held| !expired(&held.bucket, now));
            self.sweep_at = SWEEP_LEAST.max(2 * self.table.len());
            self.table.shrink_to(self.sweep_at, |held| held.hash);
        }
        let held = Held { name: key.name.into(), hash: key.hash, bucket };
        self.table.insert_unique(key.hash, held, |held| held.hash);
    }
}

/// As Redis does it: at its expiry a key still lives, a millisecond later it does not.
fn expired(bucket: &Bucket, now: Micros) -> bool {
    bucket.expires_at_ms() < (now.get() / 1000).cast_signed()
}
