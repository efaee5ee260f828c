//! Denials that need not be asked again: until refill could have changed them, and at most a second.
//!
//! Time counts from when the question was sent: the bucket was looked at no earlier, so what is
//! remembered ends no later than it does in the bucket. The second bounds how long a refund, a reset
//! or a raised limit made through another front goes unseen. All workers share what is remembered, so
//! that a flood against an empty bucket costs Redis one question a second per key and front.

use std::time::{Duration, Instant};

use hashbrown::HashTable;
use rl_bucket::{Cost, Decision, Limit, Outcome, TOLERANCE};

use rl_store::{Decisions, Sharded};

use crate::policy::Limits;

/// Remembered denials, by the name of the first bucket that was asked about. Safe to share.
#[derive(Debug, Default)]
pub struct Denials {
    shards: Sharded<HashTable<Denial>, SHARDS>,
}

struct Denial {
    bucket: Box<[u8]>,
    hash: u64,
    limits: Limits,
    cost: Cost,
    decisions: Decisions,
    sent: Instant,
    until: Instant,
}

const SHARDS: usize = 64;
/// Denials in a shard: in all 65,536, some 20 MB of the longest keys' worst case and far less of others.
const SHARD_LEN: usize = 1024;
const LONGEST: Duration = Duration::from_secs(1);

// === impl Denials ===

impl Denials {
    /// Nothing is remembered.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a check at `now` is known to answer: the remembered decisions, their waits shortened by
    /// the time that has passed.
    pub fn find(
        &self,
        bucket: &[u8],
        limits: &Limits,
        cost: Cost,
        now: Instant,
    ) -> Option<Decisions> {
        let hash = self.shards.hash_bytes(bucket);
        let shard = self.shards.lock(hash);
        let denial = shard.find(hash, |denial| *denial.bucket == *bucket)?;
        if now >= denial.until || cost != denial.cost || *limits != denial.limits {
            return None;
        }
        let passed = millis(now.saturating_duration_since(denial.sent));
        Some(denial.decisions.iter().map(|decision| later(*decision, passed)).collect())
    }

    /// Remembers the denial of a question that was `sent` before it was answered.
    pub fn remember(
        &self,
        bucket: &[u8],
        limits: &Limits,
        cost: Cost,
        decisions: &[Decision],
        sent: Instant,
    ) {
        let waits = limits.iter().zip(decisions).filter_map(|(limit, it)| wait(&limit.limit, it));
        let Some(wait) = waits.min() else { return };
        let (now, until) = (Instant::now(), sent + wait.min(LONGEST));
        if until <= now {
            return;
        }
        let hash = self.shards.hash_bytes(bucket);
        let (limits, decisions) = (limits.clone(), decisions.into());
        let denial = Denial { bucket: bucket.into(), hash, limits, cost, decisions, sent, until };
        let mut shard = self.shards.lock(hash);
        if let Some(before) = shard.find_mut(hash, |denial| *denial.bucket == *bucket) {
            *before = denial;
            return;
        }
        if shard.len() >= SHARD_LEN {
            shard.retain(|denial| denial.until > now);
            if shard.len() >= SHARD_LEN {
                return; // not remembering is only slower
            }
        }
        shard.insert_unique(hash, denial, |denial| denial.hash);
    }

    /// Forgets a denial, since this front is about to change the bucket.
    pub fn forget(&self, bucket: &[u8]) {
        let hash = self.shards.hash_bytes(bucket);
        if let Ok(slot) =
            self.shards.lock(hash).find_entry(hash, |denial| *denial.bucket == *bucket)
        {
            slot.remove();
        }
    }
}

/// How long a decision is sure to stay a denial; `None` for an allowed one.
///
/// A retry-after is late by at most a millisecond, or the time in which a millionth of a token refills.
fn wait(limit: &Limit, decision: &Decision) -> Option<Duration> {
    match decision.outcome {
        Outcome::Allowed => None,
        Outcome::NotYet { retry_after_ms } => {
            let late = Duration::from_secs_f64((TOLERANCE / limit.rate().per_second()).max(1e-3));
            Some(Duration::from_millis(retry_after_ms).saturating_sub(late))
        }
        Outcome::Never => Some(LONGEST),
    }
}

/// The decision `passed` milliseconds on, before anything it says has come true.
fn later(decision: Decision, passed: u64) -> Decision {
    let outcome = match decision.outcome {
        Outcome::NotYet { retry_after_ms } => {
            Outcome::NotYet { retry_after_ms: retry_after_ms.saturating_sub(passed).max(1) }
        }
        outcome => outcome,
    };
    let reset_after_ms = decision.reset_after_ms.saturating_sub(passed);
    Decision { outcome, reset_after_ms, ..decision }
}

/// Whole milliseconds, rounded down: waits must not become too short.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rl_bucket::{Cost, Decision, Limit, Outcome};

    use super::{Denials, SHARD_LEN, SHARDS};
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
    fn until_the_first_moment_that_could_change_it() {
        let two = Cost::parse(b"2").unwrap();
        let other = limits("2");
        for (rate, decisions, until) in [
            ("1", vec![denied(300)], 299),
            ("1", vec![denied(5000)], 1000),
            ("1/d", vec![denied(300)], 213), // in 86.4 ms a millionth of a token refills
            ("0.000001", vec![denied(900)], 0),
            ("1", vec![Decision { outcome: Outcome::Never, ..ALLOWED }], 1000),
            ("1", vec![ALLOWED], 0),
        ] {
            let limits = limits(rate);
            let denials = Denials::new();
            let sent = Instant::now();
            denials.remember(b"k", &limits, two, &decisions, sent);
            for ms in [0, 100, 212, 214, 298, 299, 999, 1000, 1001] {
                let now = sent + Duration::from_millis(ms);
                let found = denials.find(b"k", &limits, two, now);
                assert_eq!(found.is_some(), ms < until, "{rate} {decisions:?} after {ms} ms");
            }
            assert_eq!(denials.find(b"k", &limits, Cost::ONE, sent), None, "another cost");
            assert_eq!(denials.find(b"k", &other, two, sent), None, "another limit");
            assert_eq!(denials.find(b"j", &limits, two, sent), None, "another bucket");
            denials.forget(b"k");
            assert_eq!(denials.find(b"k", &limits, two, sent), None);
        }
    }

    #[test]
    fn waits_shrink_and_are_never_early() {
        let (denials, limits, sent) = (Denials::new(), limits("1"), Instant::now());
        denials.remember(b"k", &limits, Cost::ONE, &[denied(300), ALLOWED], sent);
        for (micros, retry, reset) in [(0, 300, 700), (100_999, 200, 600), (298_999, 2, 402)] {
            let now = sent + Duration::from_micros(micros);
            let found = denials.find(b"k", &limits, Cost::ONE, now).unwrap();
            assert_eq!(found[0].outcome, Outcome::NotYet { retry_after_ms: retry });
            assert_eq!((found[1].outcome, found[1].reset_after_ms), (Outcome::Allowed, reset));
        }
    }

    #[test]
    fn a_flood_of_keys_is_bounded() {
        let (denials, limits) = (Denials::new(), limits("1"));
        for i in 0..200_000_u32 {
            let sent = Instant::now();
            denials.remember(&i.to_le_bytes(), &limits, Cost::ONE, &[denied(60_000)], sent);
        }
        let held: usize = denials.shards.lock_each().map(|shard| shard.len()).sum();
        assert!(held <= SHARDS * SHARD_LEN, "{held}");
    }
}
