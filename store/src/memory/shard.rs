//! The buckets behind one lock, and how full ones are forgotten.

use hashbrown::HashTable;
use rl_bucket::{Bucket, Micros};

pub(super) struct Buckets {
    table: HashTable<Entry>,
    /// The number of buckets at which the table is swept next.
    sweep_at: usize,
}

/// A bucket's key and its hash, which tells most keys apart by itself.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key<'a> {
    pub(super) hash: u64,
    pub(super) name: &'a [u8],
}

struct Entry {
    name: Box<[u8]>,
    hash: u64,
    bucket: Bucket,
}

/// The number of buckets below which a table is not swept.
pub(super) const MIN_SWEEP: usize = 64;

impl Default for Buckets {
    fn default() -> Self {
        Self { table: HashTable::new(), sweep_at: MIN_SWEEP }
    }
}

// === impl Buckets ===

impl Buckets {
    /// A bucket as last written.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Bucket> {
        self.table.find(key.hash, |entry| *entry.name == *key.name).map(|entry| entry.bucket)
    }

    /// Passes a bucket to `change` and writes the state it returns. A bucket that is full again is
    /// forgotten first, as Redis expires a key.
    pub(super) fn change<T>(
        &mut self,
        key: Key<'_>,
        now: Micros,
        change: impl FnOnce(Option<Bucket>) -> (T, Option<Bucket>),
    ) -> T {
        let Ok(mut slot) = self.table.find_entry(key.hash, |entry| *entry.name == *key.name) else {
            let (result, write) = change(None);
            if let Some(bucket) = write {
                self.insert(key, bucket, now);
            }
            return result;
        };
        let bucket = slot.get().bucket;
        let is_live = !expired(&bucket, now);
        let (result, write) = change(is_live.then_some(bucket));
        match write {
            Some(bucket) => slot.get_mut().bucket = bucket,
            None if is_live => {}
            None => drop(slot.remove()),
        }
        result
    }

    /// A bucket, unless it is full again.
    pub(super) fn live(&mut self, key: Key<'_>, now: Micros) -> Option<Bucket> {
        self.change(key, now, |stored| (stored, None))
    }

    pub(super) fn put(&mut self, key: Key<'_>, bucket: Bucket, now: Micros) {
        self.change(key, now, |_| ((), Some(bucket)));
    }

    /// Forgets a bucket and returns whether it had not expired.
    pub(super) fn remove(&mut self, key: Key<'_>, now: Micros) -> bool {
        match self.table.find_entry(key.hash, |entry| *entry.name == *key.name) {
            Ok(slot) => !expired(&slot.remove().0.bucket, now),
            Err(_) => false,
        }
    }

    /// The number of buckets, full ones that are not yet swept out included.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn insert(&mut self, key: Key<'_>, bucket: Bucket, now: Micros) {
        if self.table.len() >= self.sweep_at {
            self.table.retain(|entry| !expired(&entry.bucket, now));
            self.sweep_at = MIN_SWEEP.max(2 * self.table.len());
            self.table.shrink_to(self.sweep_at, |entry| entry.hash);
        }
        let entry = Entry { name: key.name.into(), hash: key.hash, bucket };
        self.table.insert_unique(key.hash, entry, |entry| entry.hash);
    }
}

/// Whether a bucket has expired, by the rule of Redis: a key still exists in the millisecond of its
/// expiry and is gone in the next.
fn expired(bucket: &Bucket, now: Micros) -> bool {
    bucket.expires_at_ms() < (now.get() / 1000).cast_signed()
}
