//! The buckets behind one lock: how they are found, how full ones are forgotten, and which one goes
//! when memory is full.

use fastrand::Rng;
use rl_bucket::{Bucket, Micros};

use super::cells::{CHUNK_BYTES, CHUNK_LEN, Cells, NONE};

/// A hash table of buckets, by linear hashing: it grows by one slot for each new bucket, so no
/// check waits for a table to be moved.
pub(super) struct Buckets {
    cells: Cells,
    /// The first bucket of each slot, or [`NONE`]. There are as many slots as there once were
    /// buckets.
    slots: Vec<u32>,
    /// One less than the number of slots, rounded up to a power of two.
    mask: usize,
    len: usize,
    most_chunks: usize,
    /// The cell that was last looked at for a full bucket.
    hand: usize,
    evictions: u64,
    random: Rng,
}

/// A bucket's key and its hash, which tells most keys apart by itself.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key<'a> {
    pub(super) hash: u64,
    pub(super) name: &'a [u8],
}

/// The least memory of a shard: that of one chunk of cells, with as many slots. A slot takes 4
/// bytes, and three times as many while the list of slots grows.
pub(super) const MIN_BYTES: usize = CHUNK_BYTES + CHUNK_LEN * 3 * size_of::<u32>();
/// Cells that an insertion looks at for each that it takes. So at most as many buckets are full as
/// are not, whatever their size.
const SWEEP: usize = 2;
/// Buckets of which the one nearest to full is evicted. Each is drawn from all of them.
const SAMPLES: usize = 5;

// === impl Buckets ===

impl Buckets {
    /// No buckets, and room for `bytes` of them, at least [`MIN_BYTES`].
    pub(super) fn with_limit(bytes: usize) -> Self {
        Self {
            cells: Cells::default(),
            slots: Vec::new(),
            mask: 0,
            len: 0,
            most_chunks: (bytes / MIN_BYTES).max(1),
            hand: 0,
            evictions: 0,
            random: Rng::new(),
        }
    }

    /// A bucket as last written.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Bucket> {
        self.find(key).and_then(|at| self.cells.bucket(at)).copied()
    }

    /// Passes a bucket to `change` and writes the state it returns. A bucket that is full again is
    /// forgotten first, as Redis expires a key.
    pub(super) fn change<T>(
        &mut self,
        key: Key<'_>,
        now: Micros,
        change: impl FnOnce(Option<Bucket>) -> (T, Option<Bucket>),
    ) -> T {
        if let Some(at) = self.find(key)
            && let Some(stored) = self.cells.bucket_mut(at)
        {
            let is_live = !expired(stored, now);
            let (result, write) = change(is_live.then_some(*stored));
            match write {
                Some(bucket) => *stored = bucket,
                None if is_live => {}
                None => self.remove_at(at),
            }
            return result;
        }
        let (result, write) = change(None);
        if let Some(bucket) = write {
            self.insert(key, bucket, now);
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
        let Some(at) = self.find(key) else { return false };
        let was_live = self.cells.bucket(at).is_some_and(|bucket| !expired(bucket, now));
        self.remove_at(at);
        was_live
    }

    /// The number of buckets, full ones that are not yet swept out included.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The memory in use, in bytes: at most what it takes at the moment when a list grows.
    pub(super) fn bytes(&self) -> usize {
        self.cells.chunks() * MIN_BYTES
    }

    /// The number of buckets that were evicted before they were full.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    fn find(&self, key: Key<'_>) -> Option<u32> {
        let first = *self.slots.get(self.slot(key.hash as u32))?;
        self.cells.find(first, key.name, key.hash as u32)
    }

    fn insert(&mut self, key: Key<'_>, bucket: Bucket, now: Micros) {
        let needed = Cells::needed(key.name);
        self.sweep(SWEEP * needed, now);
        while self.cells.free_len() < needed {
            // A key that takes more than the whole share is stored all the same, alone.
            if self.cells.chunks() < self.most_chunks || !self.evict(now) {
                self.cells.grow();
            }
        }
        self.len += 1;
        if self.len > self.slots.len() {
            self.split();
        }
        let hash = key.hash as u32;
        let slot = self.slot(hash);
        self.slots[slot] = self.cells.insert(key.name, hash, bucket, self.slots[slot]);
    }

    /// Forgets the full buckets among the next `cells`.
    fn sweep(&mut self, cells: usize, now: Micros) {
        for _ in 0..cells.min(self.cells.len()) {
            self.hand = if self.hand + 1 < self.cells.len() { self.hand + 1 } else { 0 };
            let at = self.hand as u32;
            if self.cells.bucket(at).is_some_and(|bucket| expired(bucket, now)) {
                self.remove_at(at);
            }
        }
    }

    /// Evicts the sampled bucket that is full again soonest, as Redis does (`volatile-ttl`): it has
    /// the least to forget. False if there is none.
    fn evict(&mut self, now: Micros) -> bool {
        let len = self.cells.len() as u32;
        let samples = (0..SAMPLES).filter_map(|_| {
            let start = self.random.u32(..len.max(1));
            self.cells.bucket_from(start)
        });
        let Some((at, bucket)) = samples.min_by_key(|(_, bucket)| bucket.expires_at_ms()) else {
            return false;
        };
        self.evictions += u64::from(!expired(bucket, now));
        self.remove_at(at);
        true
    }

    /// Adds a slot, and moves the buckets to it that now belong there. All of them are in one slot.
    fn split(&mut self) {
        self.slots.push(NONE);
        self.mask = self.slots.len().next_power_of_two() - 1;
        let new = self.slots.len() - 1;
        if new == 0 {
            return;
        }
        let old = new - (1 << new.ilog2());
        let mut at = std::mem::replace(&mut self.slots[old], NONE);
        while at != NONE {
            let (hash, next) = self.cells.link(at);
            let slot = self.slot(hash);
            self.cells.set_next(at, self.slots[slot]);
            self.slots[slot] = at;
            at = next;
        }
    }

    /// Takes the bucket at `removed` out of its slot and frees its cells.
    fn remove_at(&mut self, removed: u32) {
        let (hash, after) = self.cells.link(removed);
        let slot = self.slot(hash);
        if self.slots[slot] == removed {
            self.slots[slot] = after;
        } else {
            let mut at = self.slots[slot];
            while at != NONE {
                let (_, next) = self.cells.link(at);
                if next == removed {
                    self.cells.set_next(at, after);
                    break;
                }
                at = next;
            }
        }
        self.cells.remove(removed);
        self.len -= 1;
    }

    /// The slot of a hash. Those between the number of slots and the next power of two are not split
    /// off yet from the ones that lack the highest bit.
    fn slot(&self, hash: u32) -> usize {
        let slot = hash as usize & self.mask;
        if slot < self.slots.len() { slot } else { slot & (self.mask >> 1) }
    }
}

/// Whether a bucket has expired, by the rule of Redis: a key still exists in the millisecond of its
/// expiry and is gone in the next.
fn expired(bucket: &Bucket, now: Micros) -> bool {
    bucket.expires_at_ms() < (now.get() / 1000).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use fastrand::Rng;
    use rl_bucket::{Cost, Level, Limit, Micros};

    use super::{Buckets, CHUNK_LEN, Key, MIN_BYTES};

    const NOW: Micros = Micros::new(1_700_000_000_000_000);

    fn bucket(rate: &str) -> rl_bucket::Bucket {
        let limit = Limit::parse("5", rate).unwrap();
        Level::at(None, &limit, NOW).check(Cost::ONE).write.unwrap()
    }

    fn key(name: &[u8], hash: u64) -> Key<'_> {
        Key { name, hash }
    }

    /// Against a map of the standard library, with hashes that collide often.
    #[test]
    fn it_holds_what_a_map_holds() {
        let seed = 42;
        let mut random = Rng::with_seed(seed);
        let mut buckets = Buckets::with_limit(usize::MAX);
        let mut map = HashMap::new();
        let states = ["1/d", "2/d", "3/d"].map(bucket);
        for _ in 0..200_000 {
            let id = random.u64(..500);
            let name = vec![id as u8; id as usize / 3];
            let key = key(&name, id * 0x9E37 % 97);
            if random.u8(..3) == 0 {
                let removed = map.remove(&(key.hash, name.clone())).is_some();
                assert_eq!(buckets.remove(key, NOW), removed);
            } else {
                let state = *random.choice(&states).unwrap();
                buckets.put(key, state, NOW);
                map.insert((key.hash, name.clone()), state);
            }
            assert_eq!(buckets.len(), map.len());
        }
        for ((hash, name), state) in &map {
            assert_eq!(buckets.get(key(name, *hash)), Some(*state));
        }
        assert_eq!(buckets.evictions(), 0);
    }

    #[test]
    fn the_nearest_to_full_is_evicted_and_the_others_stay() {
        let mut buckets = Buckets::with_limit(8 * MIN_BYTES);
        let room = 8 * CHUNK_LEN as u64;
        let mut random = Rng::with_seed(1);
        let drained: Vec<u64> = (0..room / 2).map(|_| random.u64(..)).collect();
        for &hash in &drained {
            buckets.put(key(&hash.to_le_bytes(), hash), bucket("1/d"), NOW);
        }
        for _ in 0..10 * room {
            let hash = random.u64(..);
            buckets.put(key(&hash.to_le_bytes(), hash), bucket("1/h"), NOW);
            assert!(buckets.get(key(&hash.to_le_bytes(), hash)).is_some(), "the new one stays");
            assert!(buckets.bytes() <= 8 * MIN_BYTES);
        }
        assert_eq!(buckets.len() as u64, room);
        assert_eq!(buckets.evictions(), 10 * room - room / 2);
        // A sample misses all that are nearer to full once in 32 evictions, and then evicts one of
        // these.
        let stayed = drained.iter().filter(|h| buckets.get(key(&h.to_le_bytes(), **h)).is_some());
        let stayed = stayed.count();
        assert!(stayed * 2 > drained.len(), "{stayed} of {} stayed", drained.len());
    }

    #[test]
    fn an_expired_bucket_is_no_eviction() {
        let mut buckets = Buckets::with_limit(MIN_BYTES);
        let later = Micros::new(NOW.get() + 3600 * 1_000_000);
        for hash in 0..CHUNK_LEN as u64 {
            buckets.put(key(&hash.to_le_bytes(), hash), bucket("5"), NOW);
        }
        for hash in 1000..1000 + CHUNK_LEN as u64 {
            buckets.put(key(&hash.to_le_bytes(), hash), bucket("1/d"), later);
        }
        assert_eq!((buckets.len(), buckets.evictions()), (CHUNK_LEN, 0));
    }

    #[test]
    fn keys_of_any_length_take_each_others_place() {
        let mut buckets = Buckets::with_limit(3 * MIN_BYTES);
        let mut random = Rng::with_seed(7);
        for round in 0..20_000 {
            let hash = random.u64(..);
            let name = vec![b'k'; [10, 100, 1100][round / 100 % 3]];
            buckets.put(key(&name, hash), bucket("1/d"), NOW);
            assert!(buckets.get(key(&name, hash)).is_some());
            assert!(buckets.bytes() <= 3 * MIN_BYTES, "{}", buckets.bytes());
        }
        // A key that takes more than there is, is stored alone.
        let name = vec![b'k'; 20_000];
        buckets.put(key(&name, 1), bucket("1/d"), NOW);
        assert_eq!(buckets.len(), 1);
    }
}
