//! What must hold of an episode, and the numbers of it.

use std::iter::zip;
use std::time::Duration;

use fastrand::Rng;
use rl_tests::{History, Record};

use crate::episode::DEADLINE;

/// Buckets to count charges in: capacity and rate. Far more than is asked for, refilled too slowly to show.
pub(crate) const ROOMY: (u64, &str) = (1_000_000_000, "1/d");
/// Buckets that everybody wants: capacity and rate.
pub(crate) const HOT: (u64, &str, f64) = (20, "20/s", 20.0);
const ROOMY_KEYS: [&str; 6] = ["roomy1", "roomy2", "roomy3", "roomy4", "roomy5", "roomy6"];
const HOT_KEYS: [&str; 3] = ["hot1", "hot2", "hot3"];
/// What a busy machine may take on top of a deadline.
const ROOM: Duration = Duration::from_secs(1);
/// How far a replica may have been behind before the fault.
const LAG: Duration = Duration::from_secs(1);

/// All that is known of an episode.
pub(crate) struct Story {
    pub(crate) history: History,
    /// The primary was killed: it did not go on deciding.
    pub(crate) killed: bool,
    /// Another became a primary: what it did not know yet is lost.
    pub(crate) taken_over: bool,
    /// When the fault began.
    pub(crate) from: Duration,
    /// When Redis took writes again.
    pub(crate) writable: Duration,
    /// When checks were decided by it again.
    pub(crate) normal: Duration,
    /// From each roomy bucket, before and after.
    pub(crate) taken: (Vec<u64>, Vec<u64>),
    /// Questions that fronts sent and that were not answered, as they say; nothing if one was killed, which
    /// cannot say.
    pub(crate) sent: Option<u64>,
    /// How long the machine itself did, at most.
    pub(crate) stood_still: Duration,
}

/// Its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) lasted: Duration,
    pub(crate) asked: usize,
    /// Decided without Redis.
    pub(crate) without: usize,
    /// Not answered: the front was killed.
    pub(crate) unanswered: usize,
    /// From roomy buckets: admitted by Redis.
    pub(crate) admitted: u64,
    /// Asked for and not decided by Redis, so perhaps taken and perhaps not.
    pub(crate) unknown: u64,
    /// What Redis says was taken.
    pub(crate) taken: u64,
    /// Of what was admitted, how much Redis does not know of any more.
    pub(crate) lost: u64,
    pub(crate) slowest: Duration,
    pub(crate) stood_still: Duration,
    /// From when Redis took writes until it decided again.
    pub(crate) recovery: Duration,
    pub(crate) taken_over: bool,
}

pub(crate) fn roomy_keys() -> impl Iterator<Item = &'static str> {
    ROOMY_KEYS.into_iter()
}

pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    ROOMY_KEYS.into_iter().chain(HOT_KEYS)
}

pub(crate) fn any_key(chance: &mut Rng) -> &'static str {
    let at = chance.usize(0..ROOMY_KEYS.len() + HOT_KEYS.len());
    keys().nth(at).expect("a key")
}

// === impl Story ===

impl Story {
    /// Holds the promises against it. `alive` names answers of fronts that were not killed.
    pub(crate) fn settle(self, alive: impl Fn(&Record) -> bool) -> Account {
        let Self { history, from, writable, normal, taken_over, .. } = &self;
        let slowest = history.slowest();
        let most = DEADLINE + ROOM + self.stood_still;
        assert!(slowest <= most, "an answer took {slowest:?}, not at most {most:?}");
        self.limits_held();
        let mut account = Account {
            lasted: history.records().last().map_or(Duration::ZERO, |record| record.end),
            asked: history.len(),
            without: history.only(Record::is_degraded).len(),
            unanswered: history.only(|record| record.decision.is_none()).len(),
            slowest,
            stood_still: self.stood_still,
            taken_over: *taken_over,
            ..Account::default()
        };
        for (key, (before, after)) in zip(ROOMY_KEYS, zip(&self.taken.0, &self.taken.1)) {
            let of_key = history.only(|record| record.request.key == key);
            let admitted = of_key.only(Record::is_normal).admitted();
            let unknown = of_key.only(|record| !record.is_normal()).len() as u64;
            let near = |record: &Record| record.is_normal() && record.end + LAG >= *from;
            let forgivable = if *taken_over { of_key.only(near).admitted() } else { 0 };
            // A primary that was replaced before it knew of some may hold less than before.
            assert!(
                after + forgivable >= before + admitted && *after <= before + admitted + unknown,
                "{key}: Redis took {} more than the {before} before, not {admitted} (less {forgivable}) to {admitted} + {unknown}",
                *after as i128 - i128::from(*before),
            );
            account.admitted += admitted;
            account.unknown += unknown;
            account.taken += after.saturating_sub(*before);
            account.lost += (before + admitted).saturating_sub(*after);
        }
        // Of those that nobody decided, only the ones that were sent can have been charged.
        let most = account.admitted + self.sent.unwrap_or(account.unknown);
        assert!(account.taken <= most, "Redis took {}, not at most {most}", account.taken);
        let late = history.only(|record| {
            alive(record) && !record.is_normal() && record.end > *writable && record.end <= *normal
        });
        let last = late.records().iter().map(|record| record.end).max();
        account.recovery = last.map_or(Duration::ZERO, |last| last - *writable);
        account
    }

    /// In no stretch of time more than the limit: of Redis's answers, and of each front's that stood in.
    fn limits_held(&self) {
        // One capacity for the state that was lost, and while the old primary does not know that it is replaced,
        // both decide.
        let end = self.history.records().last().map_or(self.normal, |record| record.end);
        let both = if self.killed { Duration::ZERO } else { end - self.from };
        let extra =
            if self.taken_over { HOT.0 + (HOT.2 * both.as_secs_f64()).ceil() as u64 } else { 0 };
        for key in HOT_KEYS {
            let of_key = self.history.only(|record| record.request.key == key);
            of_key.only(Record::is_normal).assert_within("decided by Redis", HOT.0, HOT.2, extra);
            for front in 0..2 {
                let local = of_key.only(|record| record.front == front && record.is_degraded());
                local.assert_within("decided by one front alone", HOT.0, HOT.2, 0);
            }
        }
    }
}
