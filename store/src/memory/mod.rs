//! Buckets in this process: a sharded map that forgets a bucket once it is full again, and holds no
//! more than it may.

mod cells;
mod several;
mod shard;

use std::{fmt, sync::MutexGuard};

use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros, Op, Step};

use self::shard::{Buckets, Key};
use crate::{BucketRequest, Sharded};

/// A store of buckets in memory, shared by threads.
///
/// It holds at most about twice as many buckets as are not yet full again: each new bucket sweeps a
/// part of its shard of full ones, so forgetting costs a constant time per check and needs no
/// thread. With a limit, it takes no more memory than that, however many keys are checked and
/// however long they are: a new bucket takes the place of one that is nearly full again. That one's
/// key is then admitted at most one capacity more, as after any loss of a bucket. Memory once used
/// is kept for other buckets.
///
/// Each operation comes in two forms: at a given time, and `..._with` a clock that is read once the
/// bucket is locked. Threads that read the clock first and then raced for the lock would show the
/// bucket a time that runs backwards, and a step back re-anchors it: the time between would refill
/// it twice.
pub struct MemoryStore {
    buckets: Sharded<Buckets, SHARDS>,
    limit: usize,
}

const SHARDS: usize = 64;
/// The least limit in bytes: each shard has room for dozens of buckets, whatever their keys.
const MIN_LIMIT: usize = 1_000_000;

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store that may grow without bound.
    pub fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// An empty store that takes at most `bytes` of memory, or a megabyte if that is more. A bucket
    /// takes 76 bytes if its key has up to 23, and 76 more for each 59 that follow.
    ///
    /// The limit is divided evenly among 64 shards. A key that is longer than a whole share is
    /// stored all the same, alone: refuse such keys before ([`MAX_KEY`](crate::MAX_KEY)).
    pub fn with_limit(bytes: usize) -> Self {
        let limit = bytes.max(MIN_LIMIT);
        Self { buckets: Sharded::with(|| Buckets::with_limit(limit / SHARDS)), limit }
    }

    /// Takes `cost` from the bucket `key` at `now` if it holds that much.
    pub fn check(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        self.check_with(key, limit, cost, || now)
    }

    /// The decision of a check at `now`, which takes nothing.
    pub fn peek(&self, key: &[u8], limit: &Limit, cost: Cost, now: Micros) -> Decision {
        self.apply_with(Op::Peek, &BucketRequest { key, limit: *limit, amount: cost }, || now)
    }

    /// Takes as many whole tokens as there are at `now`, at most `most`. Returns how many, and the
    /// decision.
    pub fn take(&self, key: &[u8], limit: &Limit, most: Cost, now: Micros) -> (u64, Decision) {
        self.take_with(&BucketRequest { key, limit: *limit, amount: most }, || now)
    }

    /// Gives `amount` back at `now`, up to the capacity.
    pub fn refund(&self, key: &[u8], limit: &Limit, amount: Cost, now: Micros) -> Decision {
        self.apply_with(Op::Refund, &BucketRequest { key, limit: *limit, amount }, || now)
    }

    /// Takes `amount` at `now`, down to a debt of one capacity.
    pub fn charge(&self, key: &[u8], limit: &Limit, amount: Cost, now: Micros) -> Decision {
        self.apply_with(Op::Charge, &BucketRequest { key, limit: *limit, amount }, || now)
    }

    /// Deletes buckets at `now` and returns how many there were.
    pub fn reset(&self, keys: &[&[u8]], now: Micros) -> u64 {
        self.reset_with(keys, || now)
    }

    /// [`check`](Self::check) at the time that `clock` reads.
    pub fn check_with(
        &self,
        key: &[u8],
        limit: &Limit,
        cost: Cost,
        clock: impl FnOnce() -> Micros,
    ) -> Decision {
        self.apply_with(Op::Check, &BucketRequest { key, limit: *limit, amount: cost }, clock)
    }

    /// Carries out an operation at the time that `clock` reads.
    pub fn apply_with(
        &self,
        op: Op,
        request: &BucketRequest<'_>,
        clock: impl FnOnce() -> Micros,
    ) -> Decision {
        let amount = request.amount;
        self.change(request, clock, |level| ((), level.apply(op, amount))).1
    }

    /// [`take`](Self::take) at the time that `clock` reads.
    pub fn take_with(
        &self,
        request: &BucketRequest<'_>,
        clock: impl FnOnce() -> Micros,
    ) -> (u64, Decision) {
        self.change(request, clock, |level| level.take(request.amount))
    }

    /// [`reset`](Self::reset), each bucket at the time that `clock` reads.
    pub fn reset_with(&self, keys: &[&[u8]], clock: impl Fn() -> Micros) -> u64 {
        let remove = |key: &[u8]| {
            let key = self.key(key);
            let mut buckets = self.lock(key);
            buckets.remove(key, clock())
        };
        keys.iter().map(|key| u64::from(remove(key))).sum()
    }

    /// The state of a bucket as last written.
    pub fn state(&self, key: &[u8]) -> Option<Bucket> {
        let key = self.key(key);
        self.lock(key).get(key)
    }

    /// The number of buckets, full ones that are not yet swept out included.
    pub fn len(&self) -> usize {
        self.buckets.lock_each().map(|buckets| buckets.len()).sum()
    }

    /// The most memory that buckets may take, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The memory set aside for buckets, in bytes; never above the limit.
    pub fn bytes(&self) -> usize {
        self.buckets.lock_each().map(|buckets| buckets.bytes()).sum()
    }

    /// The number of buckets that had to make room for others before they were full again.
    pub fn evictions(&self) -> u64 {
        self.buckets.lock_each().map(|buckets| buckets.evictions()).sum()
    }

    /// Whether there is no bucket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves a bucket by `step`, and passes on the first part of its result.
    fn change<T>(
        &self,
        request: &BucketRequest<'_>,
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

    /// A key, hashed once for its shard and for its place in the shard.
    fn key<'k>(&self, name: &'k [u8]) -> Key<'k> {
        Key { name, hash: self.buckets.hash_bytes(name) }
    }

    fn lock(&self, key: Key<'_>) -> MutexGuard<'_, Buckets> {
        self.buckets.lock(key.hash)
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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use rl_bucket::{Cost, Limit, Micros};

    use super::{MIN_LIMIT, MemoryStore, SHARDS, shard::MIN_BYTES};
    use crate::now as system_clock;

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
    fn operations_that_take_nothing_store_nothing() {
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
    fn a_reset_counts_each_live_bucket_once() {
        let store = MemoryStore::new();
        let limit = limit("2", "1");
        let now = Micros::new(START);
        for key in [b"a", b"b", b"c"] {
            store.check(key, &limit, Cost::ONE, now);
        }
        assert_eq!(store.reset(&[b"a", b"a", b"x", b"b"], now), 2);
        assert_eq!(store.state(b"a"), None);
        assert_eq!(store.len(), 1);
        assert_eq!(store.reset(&[b"c"], Micros::new(START + 60 * SECOND)), 0, "it is full again");
        assert!(store.is_empty());
    }

    #[test]
    fn a_full_bucket_is_forgotten_when_it_is_read() {
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
        let limit = limit("1", "1"); // full after a second, kept for at most three
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
        assert!(most <= 2 * active * 5 / 4, "{most} buckets");
        assert!(store.bytes() <= SHARDS * 4 * MIN_BYTES, "{} bytes", store.bytes());
    }

    #[test]
    fn a_flood_of_keys_that_stay_is_bounded_by_the_limit() {
        let limit = limit("5", "5/d");
        for (bytes, len) in [(0, 1), (MIN_LIMIT, 1000), (2 << 20, 100), (2 << 20, 24)] {
            let store = MemoryStore::with_limit(bytes);
            for i in 0..50_000_u64 {
                let mut key = vec![b'k'; len];
                key.extend(i.to_le_bytes());
                store.check(&key, &limit, Cost::ONE, Micros::new(START + i));
            }
            let (bytes, used) = (bytes.max(MIN_LIMIT), store.bytes());
            assert!(used <= bytes && used > bytes * 4 / 5, "{used} of {bytes} bytes");
            assert_eq!(store.len() as u64 + store.evictions(), 50_000);
        }
    }

    #[test]
    fn an_evicted_bucket_costs_at_most_one_capacity() {
        let limit = limit("5", "5/d");
        let store = MemoryStore::with_limit(MIN_LIMIT);
        let now = Micros::new(START);
        let mut admitted = 0;
        for i in 0..20_000_u64 {
            admitted += u64::from(store.check(b"victim", &limit, Cost::ONE, now).is_allowed());
            for other in 0..3_u8 {
                let key = [i.to_le_bytes().as_slice(), &[other]].concat();
                store.check(&key, &limit, Cost::ONE, now);
            }
        }
        // Others have taken one token, this key all five: it is the furthest from full.
        assert!(admitted <= 5 * (1 + store.evictions()) && admitted < 100, "{admitted}");
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
                        let decision = store.check_with(b"hot", &limit, cost, system_clock);
                        allowed.fetch_add(decision.is_allowed().into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 333);
    }
}
