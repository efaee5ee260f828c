//! The keys denied most, counted in bounded memory.
//!
//! The Space-Saving algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005): a table of fixed size,
//! in which a new key takes the slot and the count of the least. A key with more than one in
//! `SLOTS` of the denials is certain to be in the table, and its count is too high by at most
//! `error`.
//!
//! There are several tables, each with its own lock and its part of the keys: in a flood of denials
//! a single lock would make workers wait for each other.

use std::{collections::HashMap, fmt, time::Instant};

use hashbrown::HashTable;
use rl_store::Sharded;

/// The keys denied most in this minute and the previous one. Safe to share.
pub struct Offenders {
    started: Instant,
    shards: Sharded<Minutes, SHARDS>,
}

/// A key, and the number of its denials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offender {
    /// The name of the policy.
    pub policy: String,
    /// The caller's key, or its pseudonym if there is a secret.
    pub key: String,
    /// Denials, at most this many.
    pub denied: u64,
    /// Denials that `denied` may be too high by.
    pub error: u64,
}

#[derive(Default)]
struct Minutes {
    /// The number of the current minute, from the start.
    minute: u64,
    current: Table,
    previous: Table,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    /// The index in `entries` of each key.
    index: HashTable<usize>,
    /// The least count; no entry has less.
    least: u64,
    /// The entry at which the search for the least count goes on.
    hand: usize,
}

struct Entry {
    hash: u64,
    policy: Box<str>,
    key: Box<str>,
    count: Count,
}

#[derive(Clone, Copy, Default)]
struct Count {
    denied: u64,
    error: u64,
}

const SHARDS: usize = 16;
const SLOTS: usize = 256;

// === impl Offenders ===

impl Offenders {
    /// No denials.
    pub fn new() -> Self {
        Self { started: Instant::now(), shards: Sharded::new() }
    }

    /// Records a denial.
    pub fn record_denial(&self, policy: &str, key: &str) {
        self.record_denial_at(policy, key, Instant::now());
    }

    fn record_denial_at(&self, policy: &str, key: &str, now: Instant) {
        let hash = self.shards.hash_bytes(key.as_bytes());
        let mut minutes = self.shards.lock(hash);
        minutes.advance_to(self.minute(now));
        minutes.current.count(hash, policy, key);
    }

    /// The keys denied most, in descending order; at most `count` and at most 256.
    pub fn top(&self, count: usize) -> Vec<Offender> {
        self.top_at(count, Instant::now())
    }

    fn top_at(&self, count: usize, now: Instant) -> Vec<Offender> {
        let minute = self.minute(now);
        let mut top: Vec<_> =
            self.shards.lock_each().flat_map(|mut shard| shard.offenders(minute)).collect();
        top.sort_unstable_by(|a, b| {
            (b.denied, &a.policy, &a.key).cmp(&(a.denied, &b.policy, &b.key))
        });
        top.truncate(count.min(SLOTS));
        top
    }

    fn minute(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_secs() / 60
    }
}

impl Default for Offenders {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Offenders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offenders").finish_non_exhaustive()
    }
}

// === impl Minutes ===

impl Minutes {
    /// Starts a new table if a minute has passed.
    fn advance_to(&mut self, minute: u64) {
        if minute > self.minute {
            let current = std::mem::take(&mut self.current);
            self.previous = if minute == self.minute + 1 { current } else { Table::default() };
            self.minute = minute;
        }
    }

    fn offenders(&mut self, minute: u64) -> Vec<Offender> {
        self.advance_to(minute);
        let mut sums = HashMap::new();
        for entry in self.current.entries.iter().chain(&self.previous.entries) {
            let sum: &mut Count = sums.entry((&*entry.policy, &*entry.key)).or_default();
            sum.denied += entry.count.denied;
            sum.error += entry.count.error;
        }
        let offender = |((policy, key), count): ((&str, &str), Count)| Offender {
            policy: policy.to_owned(),
            key: key.to_owned(),
            denied: count.denied,
            error: count.error,
        };
        sums.into_iter().map(offender).collect()
    }
}

// === impl Table ===

impl Table {
    fn count(&mut self, hash: u64, policy: &str, key: &str) {
        let Self { entries, index, .. } = self;
        let is_same = |&at: &usize| *entries[at].key == *key && *entries[at].policy == *policy;
        if let Some(&at) = index.find(hash, is_same) {
            entries[at].count.denied += 1;
            return;
        }
        let (policy, key) = (policy.into(), key.into());
        let at = if self.entries.len() < SLOTS {
            self.entries.push(Entry { hash, policy, key, count: Count { denied: 1, error: 0 } });
            self.entries.len() - 1
        } else {
            let at = self.evict_least();
            let count = Count { denied: self.least + 1, error: self.least };
            self.entries[at] = Entry { hash, policy, key, count };
            at
        };
        self.index.insert_unique(hash, at, |&at| self.entries[at].hash);
    }

    /// Frees the slot of an entry with the least count. Counts only grow, so in a flood of new keys
    /// one round of the hand finds many such entries, a step or two apart.
    fn evict_least(&mut self) -> usize {
        let round = (self.hand..SLOTS).chain(0..self.hand);
        let denied = |at: &usize| self.entries[*at].count.denied;
        let next = round.clone().find(|at| denied(at) <= self.least);
        let at = next.or_else(|| round.min_by_key(denied)).unwrap_or_default();
        self.least = denied(&at);
        self.hand = (at + 1) % SLOTS;
        if let Ok(entry) = self.index.find_entry(self.entries[at].hash, |other| *other == at) {
            entry.remove();
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        time::{Duration, Instant},
    };

    use super::{Offender, Offenders, SHARDS, SLOTS};

    #[test]
    fn the_key_denied_most_comes_first() {
        let offenders = Offenders::new();
        for (key, count) in [("b", 2), ("a", 5), ("c", 2)] {
            for _ in 0..count {
                offenders.record_denial("api", key);
            }
        }
        offenders.record_denial("default", "a");
        let top = offenders.top(3);
        let keys: Vec<_> = top.iter().map(|top| (&*top.policy, &*top.key, top.denied)).collect();
        assert_eq!(keys, [("api", "a", 5), ("api", "b", 2), ("api", "c", 2)]);
        assert!(top.iter().all(|top| top.error == 0));
        assert_eq!(offenders.top(10).len(), 4);
    }

    #[test]
    fn a_frequent_key_survives_a_flood_of_rare_ones() {
        let offenders = Offenders::new();
        for i in 0..20_000 {
            offenders.record_denial("api", &format!("rare:{i}"));
            if i % 50 == 0 {
                offenders.record_denial("api", "frequent");
            }
        }
        assert_eq!(offenders.top(usize::MAX).len(), SLOTS);
        let first = &offenders.top(1)[0];
        assert_eq!(first.key, "frequent");
        assert!((first.denied - first.error..=first.denied).contains(&400), "{first:?}");
    }

    #[test]
    fn counts_are_within_their_error_and_none_is_lost() {
        let offenders = Offenders::new();
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut random = 1u64;
        for i in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = if i % 4 == 0 { random >> 33 & 15 } else { random >> 33 };
            *counts.entry(key.to_string()).or_default() += 1;
            offenders.record_denial_at("p", &key.to_string(), offenders.started);
        }
        let all = offenders.shards.lock_each().flat_map(|mut shard| shard.offenders(0));
        let all: HashMap<_, _> = all.map(|it| (it.key.clone(), it)).collect();
        assert_eq!(all.len(), SHARDS * SLOTS);
        for Offender { key, denied, error, .. } in all.values() {
            assert!((denied - error..=*denied).contains(&counts[key]), "{key}: {denied} {error}");
        }
        assert_eq!(all.values().map(|it| it.denied).sum::<u64>(), 100_000);
        for (key, count) in counts {
            assert!(count <= 100_000 / SLOTS as u64 || all.contains_key(&key), "{key}: {count}");
        }
    }

    #[test]
    fn denials_count_for_this_minute_and_the_previous_one() {
        let offenders = Offenders::new();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        offenders.record_denial_at("p", "k", at(0));
        offenders.record_denial_at("p", "k", at(61));
        assert_eq!(offenders.top_at(1, at(61))[0].denied, 2);
        assert_eq!(offenders.top_at(1, at(122))[0].denied, 1);
        assert!(offenders.top_at(1, at(400)).is_empty());
    }
}
