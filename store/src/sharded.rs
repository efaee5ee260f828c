//! A table split into shards, each behind a lock of its own.

use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// `N` tables, each behind a lock; a key's hash says which one it belongs to.
///
/// The hash is seeded at random, so that no caller can aim all keys at one shard. A lock that a
/// panic has poisoned is taken all the same: what is kept here is replaced whole, never half.
pub struct Sharded<T, const N: usize> {
    shards: Box<[Shard<T>]>,
    hasher: RandomState,
}

/// Alone on its cache lines, so that neighbours do not slow each other down.
#[repr(align(128))]
struct Shard<T>(Mutex<T>);

// === impl Sharded ===

impl<T: Default, const N: usize> Sharded<T, N> {
    /// `N` empty shards.
    pub fn new() -> Self {
        Self::with(T::default)
    }
}

impl<T, const N: usize> Sharded<T, N> {
    /// `N` shards made by `make`.
    pub fn with(mut make: impl FnMut() -> T) -> Self {
        Self {
            shards: std::iter::repeat_with(|| Shard(Mutex::new(make()))).take(N).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The hash of a key of bytes.
    pub fn hash_bytes(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// The shard of a hash. It goes by bits in the middle, since hash tables use those at both
    /// ends.
    pub fn index(hash: u64) -> usize {
        (hash >> 32) as usize % N
    }

    /// Locks the shard of a hash.
    pub fn lock(&self, hash: u64) -> MutexGuard<'_, T> {
        self.lock_at(Self::index(hash))
    }

    /// Locks a shard by its index, which must be below `N`.
    pub fn lock_at(&self, index: usize) -> MutexGuard<'_, T> {
        self.shards[index].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks each shard in turn.
    pub fn lock_each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        (0..N).map(|index| self.lock_at(index))
    }
}

impl<T: Default, const N: usize> Default for Sharded<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> fmt::Debug for Sharded<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").field("shards", &N).finish_non_exhaustive()
    }
}
