//! Checks an episode against the promises, and computes its statistics.

use std::iter::zip;
use std::time::Duration;

use fastrand::Rng;
use rl_tests::{History, Record};

use crate::stall_meter::Stalls;

/// The limit of roomy buckets, which are used to count charges: capacity and rate. The capacity is
/// far above the demand, and the refill is too slow to matter.
pub(crate) const ROOMY: (u64, &str) = (1_000_000_000, "1/d");
/// The limit of hot buckets, which every client drains: capacity, rate, and rate as a number.
pub(crate) const HOT: (u64, &str, f64) = (20, "20/s", 20.0);
const ROOMY_KEYS: [&str; 6] = ["roomy1", "roomy2", "roomy3", "roomy4", "roomy5", "roomy6"];
const HOT_KEYS: [&str; 3] = ["hot1", "hot2", "hot3"];
/// The share of checks that may be degraded while links are slow.
const MOST_DEGRADED: f64 = 0.005;
/// The time that a busy machine may add to a deadline.
const SCHEDULING_SLACK: Duration = Duration::from_secs(1);
/// The longest time that a replica may have lagged behind before the fault.
const REPLICATION_LAG: Duration = Duration::from_secs(1);

/// Everything that was observed in an episode.
pub(crate) struct Observations {
    pub(crate) history: History,
    /// The fronts' deadline.
    pub(crate) deadline: Duration,
    /// Whether the primary was killed, so that it decided nothing more.
    pub(crate) was_killed: bool,
    /// Whether another server became a primary, so that writes it had not received are lost.
    pub(crate) had_takeover: bool,
    /// When the fault was injected.
    pub(crate) fault_at: Duration,
    /// When it was healed.
    pub(crate) healed_at: Duration,
    /// What slow links left of the deadline, if nothing else was wrong.
    pub(crate) margin: Option<Duration>,
    /// When Redis accepted writes again.
    pub(crate) writable_at: Duration,
    /// When Redis decided checks again.
    pub(crate) normal_at: Duration,
    /// The tokens taken from each roomy bucket, before and after.
    pub(crate) taken: (Vec<u64>, Vec<u64>),
    /// The Redis requests that fronts sent and that were not answered, by their own count; `None`
    /// if a front was killed, since its count is lost.
    pub(crate) unanswered: Option<u64>,
    /// Stalls of the machine itself.
    pub(crate) stalls: Stalls,
}

/// The statistics of an episode.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) duration: Duration,
    pub(crate) checks: usize,
    /// Checks that were decided without Redis.
    pub(crate) degraded: usize,
    /// Checks without a reply, because the front was killed.
    pub(crate) unanswered: usize,
    /// Tokens of roomy buckets that Redis admitted.
    pub(crate) admitted: u64,
    /// Tokens that were requested and not decided by Redis, so that it may or may not have taken
    /// them.
    pub(crate) unknown: u64,
    /// Tokens that Redis has taken, by its own account.
    pub(crate) taken: u64,
    /// Tokens that were admitted and that Redis has forgotten.
    pub(crate) lost: u64,
    pub(crate) slowest: Duration,
    pub(crate) longest_stall: Duration,
    /// Time from the first accepted write until Redis decided checks again.
    pub(crate) recovery: Duration,
    pub(crate) had_takeover: bool,
}

pub(crate) fn roomy_keys() -> impl Iterator<Item = &'static str> {
    ROOMY_KEYS.into_iter()
}

pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    ROOMY_KEYS.into_iter().chain(HOT_KEYS)
}

pub(crate) fn random_key(rng: &mut Rng) -> &'static str {
    let i = rng.usize(0..ROOMY_KEYS.len() + HOT_KEYS.len());
    keys().nth(i).expect("a key")
}

// === impl Observations ===

impl Observations {
    /// Asserts every promise. `is_alive` selects the records of fronts that were not killed.
    pub(crate) fn audit(self, is_alive: impl Fn(&Record) -> bool) -> Stats {
        let Self { history, fault_at, writable_at, normal_at, had_takeover, .. } = &self;
        let answers = history.only(|record| record.decision.is_some());
        let unanswered = history.only(|record| record.decision.is_none());
        assert!(
            !unanswered.records().iter().any(&is_alive),
            "a front that was not killed gave no answer"
        );
        for record in answers.records().iter().filter(|it| it.latency() > self.deadline) {
            let stalled = self.stalls.between(record.start, record.end);
            let (took, max) = (record.latency(), self.deadline + SCHEDULING_SLACK + stalled);
            assert!(took <= max, "an answer took {took:?}, more than {max:?}: {record:?}");
        }
        self.assert_limits();
        self.assert_few_degraded();
        let mut stats = Stats {
            duration: history.records().last().map_or(Duration::ZERO, |record| record.end),
            checks: history.len(),
            degraded: history.only(Record::is_degraded).len(),
            unanswered: unanswered.len(),
            slowest: answers.slowest(),
            longest_stall: self.stalls.longest(),
            had_takeover: *had_takeover,
            ..Stats::default()
        };
        for (key, (before, after)) in zip(ROOMY_KEYS, zip(&self.taken.0, &self.taken.1)) {
            let of_key = history.only(|record| record.request.key == key);
            let admitted = of_key.only(Record::is_normal).admitted();
            let unknown = of_key.only(|record| !record.is_normal()).len() as u64;
            let is_recent =
                |record: &Record| record.is_normal() && record.end + REPLICATION_LAG >= *fault_at;
            // A takeover may lose what the replica had not received.
            let may_be_lost = if *had_takeover { of_key.only(is_recent).admitted() } else { 0 };
            assert!(
                after + may_be_lost >= before + admitted && *after <= before + admitted + unknown,
                "{key}: Redis took {} more than the {before} before, not between {admitted} (less \
                 {may_be_lost}) and {admitted} + {unknown}",
                *after as i128 - i128::from(*before),
            );
            stats.admitted += admitted;
            stats.unknown += unknown;
            stats.taken += after.saturating_sub(*before);
            stats.lost += (before + admitted).saturating_sub(*after);
        }
        // Of the undecided checks, only those that were sent can have been charged.
        let max = stats.admitted + self.unanswered.unwrap_or(stats.unknown);
        assert!(stats.taken <= max, "Redis took {}, more than {max}", stats.taken);
        let late = history.only(|record| {
            is_alive(record)
                && !record.is_normal()
                && record.end > *writable_at
                && record.end <= *normal_at
        });
        let last = late.records().iter().map(|record| record.end).max();
        stats.recovery = last.map_or(Duration::ZERO, |last| last - *writable_at);
        stats
    }

    /// Asserts that slow links degrade nothing, unless the machine itself stalled for what they
    /// left of the deadline.
    fn assert_few_degraded(&self) {
        let Some(margin) = self.margin.filter(|margin| self.stalls.longest() < *margin / 2) else {
            return;
        };
        let (from, to) = (self.fault_at, self.healed_at);
        let during = self.history.only(|record| record.start >= from && record.end <= to);
        let (all, degraded) = (during.len(), during.only(Record::is_degraded).len());
        assert!(all > 0, "no check over the slow links");
        assert!(
            degraded as f64 <= MOST_DEGRADED * all as f64,
            "{degraded} of {all} degraded with {margin:?} left of the deadline"
        );
    }

    /// Asserts that no window admitted more than the limit: by Redis, or by each front on its own.
    fn assert_limits(&self) {
        // A takeover loses at most one capacity per key. Until the old primary learns that it was
        // replaced, both primaries admit at the rate.
        let end = self.history.records().last().map_or(self.normal_at, |record| record.end);
        let overlap = if self.was_killed { Duration::ZERO } else { end - self.fault_at };
        let extra = if self.had_takeover {
            HOT.0 + (HOT.2 * overlap.as_secs_f64()).ceil() as u64
        } else {
            0
        };
        for key in HOT_KEYS {
            let of_key = self.history.only(|record| record.request.key == key);
            of_key.only(Record::is_normal).assert_within("decided by Redis", HOT.0, HOT.2, extra);
            for front in 0..2 {
                let degraded = of_key.only(|record| record.front == front && record.is_degraded());
                degraded.assert_within("decided by one front alone", HOT.0, HOT.2, 0);
            }
        }
    }
}
