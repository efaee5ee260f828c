//! Buckets in this process: a sharded map that forgets a bucket once it is full again.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::BuildHasher,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros};

/// A store of buckets, safe to share.
///
/// It holds at most about twice as many buckets as are not yet full again: each shard sweeps out the
/// full ones whenever it has doubled, so forgetting costs a constant time per check and needs no
/// thread.
pub struct MemoryStore {
    shards: Box<[Shard]>,
    /// Seeded at random, so that no caller can aim all keys at one shard.
    hasher: RandomState,
}

/// Alone on its cache lines, so that neighbours do not slow each other down.
#[repr(align(128))]
struct Shard(Mutex<Buckets>);

struct Buckets {
    map: HashMap<Box<[u8]>, Bucket>,
    /// How many buckets the map may hold before the next sweep.
    sweep_at: usize,
}

const SHARDS: usize = 64;
const SWEEP_LEAST: usize = 64;

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let shard = || Shard(Mutex::new(Buckets { map: HashMap::new(), sweep_at: SWEEP_LEAST }));
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Takes `cost` from the bucket `key` at `now` if it holds that many.
    pub fn check(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        self.check_with(key, limit, cost, || now)
    }

    /// [`check`](Self::check) at the time `clock` tells once the bucket is locked.
    ///
    /// Threads that read the clock first and then race for the lock would show the bucket a time
    /// that runs backwards, and a step back re-anchors it: the time between would refill twice.
    pub fn check_with(
        &self,
        key: &[u8],
        limit: &Limit,
        cost: Cost,
        clock: impl FnOnce() -> Micros,
    ) -> Decision {
        let mut buckets = self.lock(key);
        let now = clock();
        let step = Level::at(buckets.live(key, now), limit, now).check(cost);
        if let Some(bucket) = step.write {
            buckets.put(key, bucket, now);
        }
        step.decision
    }

    /// What a check at `now` would answer, taking nothing.
    pub fn peek(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        Level::at(self.lock(key).live(key, now), limit, now).peek(cost)
    }

    /// The state of a bucket as it was last written.
    pub fn state(&self, key: &[u8]) -> Option<Bucket> {
        self.lock(key).map.get(key).copied()
    }

    /// How many buckets are held, full ones not yet swept out included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().map.len()).sum()
    }

    /// Whether no bucket is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self, key: &[u8]) -> MutexGuard<'_, Buckets> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("len", &self.len()).finish_non_exhaustive()
    }
}

// === impl Shard ===

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        // A bucket is replaced whole: even a panic under the lock leaves none half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Buckets ===

impl Buckets {
    /// A bucket, unless it is full again: then it is forgotten, as Redis expires a key.
    fn live(&mut self, key: &[u8], now: Micros) -> Option<Bucket> {
        let bucket = self.map.get(key).copied()?;
        if expired(&bucket, now) {
            self.map.remove(key);
            return None;
        }
        Some(bucket)
    }

    fn put(&mut self, key: &[u8], bucket: Bucket, now: Micros) {
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
}

/// As Redis does it: at its expiry a key still lives, a millisecond later it does not.
fn expired(bucket: &Bucket, now: Micros) -> bool {
    bucket.expires_at_ms() < (now.get() / 1000).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use rl_bucket::{Cost, Limit, Micros};

    use super::{MemoryStore, SHARDS, SWEEP_LEAST};
    use crate::store;

    const START: u64 = 1_700_000_000_000_000;
    const SECOND: u64 = 1_000_000;

    fn limit(capacity: &str, rate: &str) -> Limit {
        Limit::parse(capacity, rate).unwrap()
    }

    #[test]
    fn drains_peeks_and_refills() {
        let store = MemoryStore::new();
        let limit = limit("2", "1");
        let at = |second| Micros::new(START + second * SECOND);
        assert_eq!(store.check(b"k", &limit, Cost::ONE, at(0)).remaining, 1);
        assert_eq!(store.check(b"k", &limit, Cost::ONE, at(0)).remaining, 0);
        let state = store.state(b"k");
        assert!(!store.check(b"k", &limit, Cost::ONE, at(0)).is_allowed());
        assert_eq!(store.peek(b"k", &limit, Cost::ONE, at(1)).remaining, 1);
        assert_eq!(store.state(b"k"), state, "neither a denial nor a peek writes");
        assert!(store.check(b"k", &limit, Cost::ONE, at(1)).is_allowed());
    }

    #[test]
    fn what_takes_nothing_leaves_nothing() {
        let store = MemoryStore::new();
        let limit = limit("2", "1");
        let now = Micros::new(START);
        store.check(b"k", &limit, Cost::parse(b"0").unwrap(), now);
        store.check(b"k", &limit, Cost::parse(b"3").unwrap(), now);
        store.peek(b"k", &limit, Cost::ONE, now);
        assert!(store.is_empty());
    }

    #[test]
    fn a_full_bucket_is_forgotten_when_it_is_met() {
        let store = MemoryStore::new();
        let limit = limit("2", "1");
        store.check(b"k", &limit, Cost::ONE, Micros::new(START));
        assert_eq!(store.len(), 1);
        store.peek(b"k", &limit, Cost::ONE, Micros::new(START + 60 * SECOND));
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn a_flood_of_unique_keys_is_bounded_by_the_active_ones() {
        let store = MemoryStore::new();
        let limit = limit("1", "1"); // full after a second, kept for three at most
        let mut most = 0;
        for i in 0..300_000u64 {
            let now = Micros::new(START + i * 1000); // a new key every millisecond
            store.check(&i.to_le_bytes(), &limit, Cost::ONE, now);
            if i % 1000 == 0 {
                most = most.max(store.len());
            }
        }
        let active = 3001;
        // Shards are not equally full, hence a quarter on top.
        assert!(most <= (2 * active).max(SHARDS * SWEEP_LEAST) * 5 / 4, "{most} buckets");
    }

    #[test]
    fn parallel_callers_get_exactly_what_is_there() {
        let store = MemoryStore::new();
        let limit = limit("1000", "0.000001");
        let cost = Cost::parse(b"3").unwrap();
        let allowed = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let decision = store.check_with(b"hot", &limit, cost, store::now);
                        allowed.fetch_add(decision.is_allowed().into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 333);
    }
}
