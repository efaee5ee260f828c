//! The denial cache: denials that still hold, answered without a call to the store.
//!
//! A denial holds until refill could change it, and at most a second. Time counts from when the
//! check was sent: the bucket was read no earlier, so the cached denial ends no later than the
//! bucket's. The second bounds the time for which a refund, a reset or a raised limit made through
//! another front goes unseen. All workers share the cache, so a flood against an empty bucket costs
//! Redis one check a second for each key and front.

use std::time::{Duration, Instant};

use hashbrown::HashTable;
use rl_bucket::{Cost, Decision, Limit, Outcome, TOLERANCE};
use rl_store::{Decisions, Sharded};

use crate::policy::Limits;

/// Denials by the key of the first bucket of their check. Safe to share.
#[derive(Debug, Default)]
pub struct DenialCache {
    shards: Sharded<HashTable<Denial>, SHARDS>,
}

struct Denial {
    bucket_key: Box<[u8]>,
    hash: u64,
    limits: Limits,
    cost: Cost,
    decisions: Decisions,
    sent_at: Instant,
    expires_at: Instant,
}

const SHARDS: usize = 64;
/// Denials in a shard. In all these are 65,536: some 20 MB with the longest keys, usually far less.
const SHARD_LEN: usize = 1024;
const LONGEST: Duration = Duration::from_secs(1);

// === impl DenialCache ===

impl DenialCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The denial of a check at `now`: the cached decisions, their waits shortened by the time that
    /// has passed.
    pub fn get(
        &self,
        bucket_key: &[u8],
        limits: &Limits,
        cost: Cost,
        now: Instant,
    ) -> Option<Decisions> {
        let hash = self.shards.hash_bytes(bucket_key);
        let shard = self.shards.lock(hash);
        let denial = shard.find(hash, |denial| *denial.bucket_key == *bucket_key)?;
        if now >= denial.expires_at || cost != denial.cost || *limits != denial.limits {
            return None;
        }
        let elapsed_ms = millis(now.saturating_duration_since(denial.sent_at));
        Some(denial.decisions.iter().map(|decision| later(*decision, elapsed_ms)).collect())
    }

    /// Caches the denial of a check that was sent at `sent_at`.
    pub fn insert(
        &self,
        bucket_key: &[u8],
        limits: &Limits,
        cost: Cost,
        decisions: &[Decision],
        sent_at: Instant,
    ) {
        let pairs = limits.iter().zip(decisions);
        let lifetimes = pairs.filter_map(|(limit, decision)| lifetime(&limit.limit, decision));
        let Some(lifetime) = lifetimes.min() else { return };
        let (now, expires_at) = (Instant::now(), sent_at + lifetime.min(LONGEST));
        if expires_at <= now {
            return;
        }
        let hash = self.shards.hash_bytes(bucket_key);
        let denial = Denial {
            bucket_key: bucket_key.into(),
            hash,
            limits: limits.clone(),
            cost,
            decisions: decisions.into(),
            sent_at,
            expires_at,
        };
        let mut shard = self.shards.lock(hash);
        if let Some(before) = shard.find_mut(hash, |denial| *denial.bucket_key == *bucket_key) {
            *before = denial;
            return;
        }
        if shard.len() >= SHARD_LEN {
            shard.retain(|denial| denial.expires_at > now);
            if shard.len() >= SHARD_LEN {
                return; // a denial that is not cached only costs time
            }
        }
        shard.insert_unique(hash, denial, |denial| denial.hash);
    }

    /// Removes a denial whose bucket this front changes.
    pub fn remove(&self, bucket_key: &[u8]) {
        let hash = self.shards.hash_bytes(bucket_key);
        let mut shard = self.shards.lock(hash);
        if let Ok(entry) = shard.find_entry(hash, |denial| *denial.bucket_key == *bucket_key) {
            entry.remove();
        }
    }
}

/// The time for which a decision surely stays a denial; `None` for an allowed one.
///
/// A retry-after is late by at most a millisecond, or by the time in which a millionth of a token
/// refills.
fn lifetime(limit: &Limit, decision: &Decision) -> Option<Duration> {
    match decision.outcome {
        Outcome::Allowed => None,
        Outcome::NotYet { retry_after_ms } => {
            let late = Duration::from_secs_f64((TOLERANCE / limit.rate().per_second()).max(1e-3));
            Some(Duration::from_millis(retry_after_ms).saturating_sub(late))
        }
        Outcome::Never => Some(LONGEST),
    }
}

/// The decision `elapsed_ms` later, while it still holds.
fn later(decision: Decision, elapsed_ms: u64) -> Decision {
    let outcome = match decision.outcome {
        Outcome::NotYet { retry_after_ms } => {
            Outcome::NotYet { retry_after_ms: retry_after_ms.saturating_sub(elapsed_ms).max(1) }
        }
        outcome => outcome,
    };
    let reset_after_ms = decision.reset_after_ms.saturating_sub(elapsed_ms);
    Decision { outcome, reset_after_ms, ..decision }
}

/// Whole milliseconds, rounded down: rounded up, they would shorten waits too much.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rl_bucket::{Cost, Decision, Limit, Outcome};

    use super::{DenialCache, SHARD_LEN, SHARDS};
    use crate::policy::Limits;

    const ALLOWED: Decision =
        Decision { outcome: Outcome::Allowed, limit: 9, remaining: 8, reset_after_ms: 700 };

    fn denied(retry_after_ms: u64) -> Decision {
        Decision { outcome: Outcome::NotYet { retry_after_ms }, reset_after_ms: 5000, ..ALLOWED }
    }

    fn limits(rate: &str) -> Limits {
        Limits::inline(Limit::parse("9", rate).unwrap())
    }

    #[test]
    fn a_denial_is_cached_until_refill_could_change_it() {
        let two = Cost::parse(b"2").unwrap();
        let other = limits("2");
        for (rate, decisions, holds_ms) in [
            ("1", vec![denied(300)], 299),
            ("1", vec![denied(5000)], 1000),
            ("1/d", vec![denied(300)], 213), // in 86.4 ms a millionth of a token refills
            ("0.000001", vec![denied(900)], 0),
            ("1", vec![Decision { outcome: Outcome::Never, ..ALLOWED }], 1000),
            ("1", vec![ALLOWED], 0),
        ] {
            let limits = limits(rate);
            let denials = DenialCache::new();
            let sent = Instant::now();
            denials.insert(b"k", &limits, two, &decisions, sent);
            for ms in [0, 100, 212, 214, 298, 299, 999, 1000, 1001] {
                let now = sent + Duration::from_millis(ms);
                let found = denials.get(b"k", &limits, two, now);
                assert_eq!(found.is_some(), ms < holds_ms, "{rate} {decisions:?} after {ms} ms");
            }
            assert_eq!(denials.get(b"k", &limits, Cost::ONE, sent), None, "another cost");
            assert_eq!(denials.get(b"k", &other, two, sent), None, "another limit");
            assert_eq!(denials.get(b"j", &limits, two, sent), None, "another bucket");
            denials.remove(b"k");
            assert_eq!(denials.get(b"k", &limits, two, sent), None);
        }
    }

    #[test]
    fn cached_waits_shrink_and_are_never_early() {
        let (denials, limits, sent) = (DenialCache::new(), limits("1"), Instant::now());
        denials.insert(b"k", &limits, Cost::ONE, &[denied(300), ALLOWED], sent);
        for (micros, retry, reset) in [(0, 300, 700), (100_999, 200, 600), (298_999, 2, 402)] {
            let now = sent + Duration::from_micros(micros);
            let found = denials.get(b"k", &limits, Cost::ONE, now).unwrap();
            assert_eq!(found[0].outcome, Outcome::NotYet { retry_after_ms: retry });
            assert_eq!((found[1].outcome, found[1].reset_after_ms), (Outcome::Allowed, reset));
        }
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let (denials, limits) = (DenialCache::new(), limits("1"));
        for i in 0..200_000_u32 {
            let sent = Instant::now();
            denials.insert(&i.to_le_bytes(), &limits, Cost::ONE, &[denied(60_000)], sent);
        }
        let len: usize = denials.shards.lock_each().map(|shard| shard.len()).sum();
        assert!(len <= SHARDS * SHARD_LEN, "{len}");
    }
}
