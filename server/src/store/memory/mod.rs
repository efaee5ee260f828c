//! Buckets in this process: a sharded map that forgets a bucket once it is full again.

mod several;
mod shard;

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::MutexGuard,
};

use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros, Step};

use self::shard::{Buckets, Key, Shard};
use super::{Ask, Request};

/// A store of buckets, safe to share.
///
/// It holds at most about twice as many buckets as are not yet full again: each shard sweeps out the
/// full ones whenever it has doubled, so forgetting costs a constant time per check and needs no
/// thread.
///
/// Each operation comes at a given time and, as `..._with`, at the time a clock tells once the bucket is
/// locked. Threads that read the clock first and then race for the lock would show the bucket a time
/// that runs backwards, and a step back re-anchors it: the time between would refill twice.
pub struct MemoryStore {
    shards: Box<[Shard]>,
    /// Seeded at random, so that no caller can aim all keys at one shard.
    hasher: RandomState,
}

const SHARDS: usize = 64;

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(Shard::new).take(SHARDS).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Takes `cost` from the bucket `key` at `now` if it holds that many.
    pub fn check(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        self.check_with(key, limit, cost, || now)
    }

    /// What a check at `now` would answer, taking nothing.
    pub fn peek(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        self.ask_with(Ask::Peek, &Request { key, limit: *limit, amount: cost }, || now)
    }

    /// Takes as many whole tokens as there are at `now`, at most `most`: how many, and the decision.
    pub fn take(&self, key: &[u8], limit: &Limit, most: Cost, now: Micros) -> (u64, Decision) {
        self.take_with(&Request { key, limit: *limit, amount: most }, || now)
    }

    /// Gives `amount` back at `now`, up to the capacity.
    pub fn refund(&self, key: &[u8], limit: &Limit, amount: Cost, now: Micros) -> Decision {
        self.ask_with(Ask::Refund, &Request { key, limit: *limit, amount }, || now)
    }

    /// Takes `amount` at `now` whether it is there or not, down to a debt of one capacity.
    pub fn charge(&self, key: &[u8], limit: &Limit, amount: Cost, now: Micros) -> Decision {
        self.ask_with(Ask::Charge, &Request { key, limit: *limit, amount }, || now)
    }

    /// Deletes buckets at `now`: how many there were.
    pub fn reset(&self, keys: &[&[u8]], now: Micros) -> u64 {
        self.reset_with(keys, || now)
    }

    /// [`check`](Self::check) at the time `clock` tells.
    pub fn check_with(
        &self,
        key: &[u8],
        limit: &Limit,
        cost: Cost,
        clock: impl FnOnce() -> Micros,
    ) -> Decision {
        self.ask_with(Ask::Check, &Request { key, limit: *limit, amount: cost }, clock)
    }

    /// Does what `ask` says at the time `clock` tells.
    pub fn ask_with(
        &self,
        ask: Ask,
        request: &Request<'_>,
        clock: impl FnOnce() -> Micros,
    ) -> Decision {
        let amount = request.amount;
        let step = |level: Level| match ask {
            Ask::Check => level.check(amount),
            Ask::Peek => Step { decision: level.peek(amount), write: None },
            Ask::Refund => level.refund(amount),
            Ask::Charge => level.charge(amount),
        };
        self.apply(request, clock, |level| ((), step(level))).1
    }

    /// [`take`](Self::take) at the time `clock` tells.
    pub fn take_with(
        &self,
        request: &Request<'_>,
        clock: impl FnOnce() -> Micros,
    ) -> (u64, Decision) {
        self.apply(request, clock, |level| level.take(request.amount))
    }

    /// [`reset`](Self::reset), each bucket at the time `clock` tells.
    pub fn reset_with(&self, keys: &[&[u8]], clock: impl Fn() -> Micros) -> u64 {
        let remove = |key: &[u8]| {
            let key = self.key(key);
            let mut buckets = self.lock(key);
            buckets.remove(key, clock())
        };
        keys.iter().map(|key| u64::from(remove(key))).sum()
    }

    /// The state of a bucket as it was last written.
    pub fn state(&self, key: &[u8]) -> Option<Bucket> {
        let key = self.key(key);
        self.lock(key).get(key)
    }

    /// How many buckets are held, full ones not yet swept out included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether no bucket is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves a bucket by `step`; what `step` says beside the new state is handed through.
    fn apply<T>(
        &self,
        request: &Request<'_>,
        clock: impl FnOnce() -> Micros,
        step: impl FnOnce(Level) -> (T, Step),
    ) -> (T, Decision) {
        let key = self.key(request.key);
        let mut buckets = self.lock(key);
        let now = clock();
        buckets.change(key, now, |stored| {
            let (extra, step) = step(Level::at(stored, &request.limit, now));
            ((extra, step.decision), step.write)
        })
    }

    /// A key, hashed once for the shard and for the place in it.
    fn key<'k>(&self, name: &'k [u8]) -> Key<'k> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(name);
        Key { name, hash: hasher.finish() }
    }

    fn lock(&self, key: Key<'_>) -> MutexGuard<'_, Buckets> {
        self.shards[shard(key)].lock()
    }
}

/// Of bits in the middle: a table takes those at both ends.
fn shard(key: Key<'_>) -> usize {
    (key.hash >> 32) as usize % SHARDS
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use rl_bucket::{Cost, Limit, Micros};

    use super::{MemoryStore, SHARDS, shard::SWEEP_LEAST};
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
    fn takes_refunds_and_charges() {
        let store = MemoryStore::new();
        let limit = limit("3", "1");
        let now = Micros::new(START);
        let cost = |text: &str| Cost::parse(text.as_bytes()).unwrap();
        let (granted, decision) = store.take(b"k", &limit, cost("2.9"), now);
        assert_eq!((granted, decision.is_allowed(), decision.remaining), (2, true, 1));
        let (granted, decision) = store.take(b"k", &limit, cost("5"), now);
        assert_eq!((granted, decision.is_allowed(), decision.remaining), (1, true, 0));
        let (granted, decision) = store.take(b"k", &limit, cost("5"), now);
        assert_eq!((granted, decision.is_allowed(), decision.remaining), (0, false, 0));
        assert_eq!(store.refund(b"k", &limit, cost("2"), now).remaining, 2);
        assert_eq!(store.refund(b"k", &limit, cost("9"), now).remaining, 3);
        assert_eq!(store.charge(b"k", &limit, cost("5"), now).remaining, -2);
        assert_eq!(store.charge(b"k", &limit, cost("5"), now).remaining, -3);
    }

    #[test]
    fn a_reset_counts_living_buckets_once() {
        let store = MemoryStore::new();
        let limit = limit("2", "1");
        let now = Micros::new(START);
        for key in [b"a", b"b", b"c"] {
            store.check(key, &limit, Cost::ONE, now);
        }
        assert_eq!(store.reset(&[b"a", b"a", b"x", b"b"], now), 2);
        assert_eq!(store.state(b"a"), None);
        assert_eq!(store.len(), 1);
        assert_eq!(store.reset(&[b"c"], Micros::new(START + 60 * SECOND)), 0, "it was full again");
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
