//! Who is denied most, counted in bounded memory.
//!
//! The Space-Saving algorithm (Metwally, Agrawal and El Abbadi, ICDT 2005): a table of fixed size, in
//! which a new key takes the place and the count of the least. A key that makes up more than one in
//! `SLOTS` of the denials is in the table for sure, and its count is too high by at most `error`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use utoipa::ToSchema;

/// The keys denied most in this minute and the one before. Safe to share.
pub struct Offenders {
    minutes: Mutex<Minutes>,
}

/// A key, and how often it was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Offender {
    /// Under which policy.
    pub policy: String,
    /// As the caller named it.
    pub key: String,
    /// Denials, at most this many.
    pub denied: u64,
    /// And at least this many fewer.
    pub error: u64,
}

struct Minutes {
    began: Instant,
    current: Table,
    last: Table,
}

#[derive(Default)]
struct Table(HashMap<(Box<str>, Box<str>), Count>);

#[derive(Clone, Copy, Default)]
struct Count {
    denied: u64,
    error: u64,
}

const SLOTS: usize = 256;
const MINUTE: Duration = Duration::from_secs(60);

// === impl Offenders ===

impl Offenders {
    /// Nobody was denied.
    pub fn new() -> Self {
        let minutes =
            Minutes { began: Instant::now(), current: Table::default(), last: Table::default() };
        Self { minutes: Mutex::new(minutes) }
    }

    /// A key was denied now.
    pub fn denied(&self, policy: &str, key: &str) {
        self.denied_at(policy, key, Instant::now());
    }

    fn denied_at(&self, policy: &str, key: &str, now: Instant) {
        let mut minutes = self.lock();
        minutes.turn(now);
        minutes.current.count(policy, key);
    }

    /// The `most` keys denied most, the first the most.
    pub fn top(&self, most: usize) -> Vec<Offender> {
        self.top_at(most, Instant::now())
    }

    fn top_at(&self, most: usize, now: Instant) -> Vec<Offender> {
        let mut minutes = self.lock();
        minutes.turn(now);
        let mut sums = HashMap::new();
        for table in [&minutes.current, &minutes.last] {
            for (name, count) in &table.0 {
                let sum: &mut Count = sums.entry(name).or_default();
                sum.denied += count.denied;
                sum.error += count.error;
            }
        }
        let offender = |((policy, key), count): (&(Box<str>, Box<str>), Count)| Offender {
            policy: policy.to_string(),
            key: key.to_string(),
            denied: count.denied,
            error: count.error,
        };
        let mut top: Vec<_> =
            sums.into_iter().map(|(name, count)| offender((name, count))).collect();
        drop(minutes);
        top.sort_unstable_by(|a, b| {
            (b.denied, &a.policy, &a.key).cmp(&(a.denied, &b.policy, &b.key))
        });
        top.truncate(most);
        top
    }

    fn lock(&self) -> MutexGuard<'_, Minutes> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.began);
        if passed >= MINUTE {
            let current = std::mem::take(&mut self.current);
            self.last = if passed < 2 * MINUTE { current } else { Table::default() };
            self.began = now;
        }
    }
}

// === impl Table ===

impl Table {
    fn count(&mut self, policy: &str, key: &str) {
        let name = (policy.into(), key.into());
        if let Some(count) = self.0.get_mut(&name) {
            count.denied += 1;
            return;
        }
        let mut count = Count { denied: 1, error: 0 };
        if self.0.len() >= SLOTS {
            let least = self.0.iter().min_by_key(|(_, count)| count.denied);
            if let Some((name, least)) = least.map(|(name, count)| (name.clone(), *count)) {
                self.0.remove(&name);
                count = Count { denied: least.denied + 1, error: least.denied };
            }
        }
        self.0.insert(name, count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Offenders, SLOTS};

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
