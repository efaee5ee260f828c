//! Who is denied most, counted in bounded memory.
//!
//! The Space-Saving algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005): a table of fixed size, in
//! which a new key takes the place and the count of the least. A key that makes up more than one in
//! `SLOTS` of the denials is in the table for sure, and its count is too high by at most `error`.
//!
//! There are several tables, each with a lock and a share of the keys: in a flood of denials workers would
//! wait for each other before one.

use std::{collections::HashMap, fmt, time::Instant};

use hashbrown::HashTable;
use rl_store::Sharded;

/// The keys denied most in this minute and the one before. Safe to share.
pub struct Offenders {
    began: Instant,
    shards: Sharded<Minutes, SHARDS>,
}

/// A key, and how often it was denied.
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
    /// Since the beginning.
    minute: u64,
    current: Table,
    last: Table,
}

#[derive(Default)]
struct Table {
    entries: Vec<Entry>,
    /// Where in `entries` a key is.
    places: HashTable<usize>,
    /// No entry counts less.
    least: u64,
    /// Those that count `least` are looked for from here on.
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
    /// Nobody was denied.
    pub fn new() -> Self {
        Self { began: Instant::now(), shards: Sharded::new() }
    }

    /// A key was denied now.
    pub fn denied(&self, policy: &str, key: &str) {
        self.denied_at(policy, key, Instant::now());
    }

    fn denied_at(&self, policy: &str, key: &str, now: Instant) {
        let hash = self.shards.hash_one((policy, key));
        let mut minutes = self.shards.lock(hash);
        minutes.turn(self.minute(now));
        minutes.current.count(hash, policy, key);
    }

    /// The `most` keys denied most, the first the most; at most 256.
    pub fn top(&self, most: usize) -> Vec<Offender> {
        self.top_at(most, Instant::now())
    }

    fn top_at(&self, most: usize, now: Instant) -> Vec<Offender> {
        let minute = self.minute(now);
        let mut top: Vec<_> =
            self.shards.lock_each().flat_map(|mut shard| shard.offenders(minute)).collect();
        top.sort_unstable_by(|a, b| {
            (b.denied, &a.policy, &a.key).cmp(&(a.denied, &b.policy, &b.key))
        });
        top.truncate(most.min(SLOTS));
        top
    }

    fn minute(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / 60
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
    fn turn(&mut self, minute: u64) {
        if minute > self.minute {
            let current = std::mem::take(&mut self.current);
            self.last = if minute == self.minute + 1 { current } else { Table::default() };
            self.minute = minute;
        }
    }

    fn offenders(&mut self, minute: u64) -> Vec<Offender> {
        self.turn(minute);
        let mut sums = HashMap::new();
        for entry in self.current.entries.iter().chain(&self.last.entries) {
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
        let Self { entries, places, .. } = self;
        let same = |&at: &usize| *entries[at].key == *key && *entries[at].policy == *policy;
        if let Some(&at) = places.find(hash, same) {
            entries[at].count.denied += 1;
            return;
        }
        let (policy, key) = (policy.into(), key.into());
        let at = if self.entries.len() < SLOTS {
            self.entries.push(Entry { hash, policy, key, count: Count { denied: 1, error: 0 } });
            self.entries.len() - 1
        } else {
            let at = self.give_up_least();
            let count = Count { denied: self.least + 1, error: self.least };
            self.entries[at] = Entry { hash, policy, key, count };
            at
        };
        self.places.insert_unique(hash, at, |&at| self.entries[at].hash);
    }

    /// Takes the place of an entry that counts the least. Counts only grow, so in a flood of new keys one turn
    /// of the hand finds many such entries, and to find one costs a step or two.
    fn give_up_least(&mut self) -> usize {
        let turn = (self.hand..SLOTS).chain(0..self.hand);
        let denied = |at: &usize| self.entries[*at].count.denied;
        let known = turn.clone().find(|at| denied(at) <= self.least);
        let at = known.or_else(|| turn.min_by_key(denied)).unwrap_or_default();
        self.least = denied(&at);
        self.hand = (at + 1) % SLOTS;
        if let Ok(place) = self.places.find_entry(self.entries[at].hash, |place| *place == at) {
            place.remove();
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
    fn the_worst_comes_first() {
        let offenders = Offenders::new();
        for (key, times) in [("b", 2), ("a", 5), ("c", 2)] {
            for _ in 0..times {
                offenders.denied("api", key);
            }
        }
        offenders.denied("default", "a");
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
            offenders.denied("api", &format!("rare:{i}"));
            if i % 50 == 0 {
                offenders.denied("api", "frequent");
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
        let mut times: HashMap<String, u64> = HashMap::new();
        let mut random = 1u64;
        for i in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = if i % 4 == 0 { random >> 33 & 15 } else { random >> 33 };
            *times.entry(key.to_string()).or_default() += 1;
            offenders.denied_at("p", &key.to_string(), offenders.began);
        }
        let all = offenders.shards.lock_each().flat_map(|mut shard| shard.offenders(0));
        let all: HashMap<_, _> = all.map(|it| (it.key.clone(), it)).collect();
        assert_eq!(all.len(), SHARDS * SLOTS);
        for Offender { key, denied, error, .. } in all.values() {
            assert!((denied - error..=*denied).contains(&times[key]), "{key}: {denied} {error}");
        }
        assert_eq!(all.values().map(|it| it.denied).sum::<u64>(), 100_000);
        for (key, times) in times {
            assert!(times <= 100_000 / SLOTS as u64 || all.contains_key(&key), "{key}: {times}");
        }
    }

    #[test]
    fn two_minutes_and_no_more() {
        let offenders = Offenders::new();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        offenders.denied_at("p", "k", at(0));
        offenders.denied_at("p", "k", at(61));
        assert_eq!(offenders.top_at(1, at(61))[0].denied, 2);
        assert_eq!(offenders.top_at(1, at(122))[0].denied, 1);
        assert!(offenders.top_at(1, at(400)).is_empty());
    }
}
