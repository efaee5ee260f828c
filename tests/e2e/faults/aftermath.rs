//! What clients saw of a fault, checked against the promises that hold for every fault.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rl_tests::{CheckRequest, Front, History, LimitSource, Record, eventually};
use serde_json::{Value, json};

use super::rig::{Buckets, HOT, ROOMY_KEYS, SOON, WORKERS, roomy};

/// The records of a test after its fault is over.
pub(super) struct Aftermath {
    /// All records.
    pub(super) history: History,
    /// Records during the fault.
    pub(super) during: History,
    /// Times of connections to Redis, from the fault on.
    pub(super) connects: Vec<Instant>,
    /// Intervals whose decisions may be lost, on the clock of the records.
    pub(super) lags: Vec<Lag>,
    /// Tokens that Redis is known to have taken and has forgotten.
    pub(super) lost_tokens: u64,
}

pub(super) type Lag = RangeInclusive<Duration>;

/// Time that a busy machine may take on top of a deadline. Every outage is longer.
const ROOM: Duration = Duration::from_secs(1);

// === impl Aftermath ===

impl Aftermath {
    /// Asserts that every answer came in time and was about the bucket of its check.
    #[track_caller]
    pub(super) fn every_answer_was_in_time(&self, deadline: Duration) {
        let slowest = self.history.slowest();
        assert!(slowest <= deadline + ROOM, "an answer took {slowest:?}");
        for record in self.history.records() {
            let LimitSource::Inline(capacity, _) = record.request.limits else { continue };
            let decision = record.decision.expect("an answer from the front");
            assert_eq!(decision.limit, capacity, "an answer about another bucket: {record:?}");
        }
    }

    /// Tokens that Redis admitted in each lag, of these records.
    fn decided_in_lags(&self, history: &History) -> impl Iterator<Item = u64> {
        self.lags.iter().map(|lag| {
            let within = |record: &Record| record.end >= *lag.start() && record.start <= *lag.end();
            history.only(|record| record.is_normal() && within(record)).admitted()
        })
    }

    /// Asserts that in no interval more than the limit was admitted, by Redis or by its local
    /// substitute. Lost tokens are admitted again, but never more than the bucket holds.
    #[track_caller]
    pub(super) fn limits_held(&self, buckets: Buckets) {
        let all = self.history.only(|record| record.request.key == "hot");
        let extra = match buckets {
            Buckets::Kept => self.decided_in_lags(&all).map(|lost| lost.min(HOT.0)).sum(),
            Buckets::KeptButTheLastTwoSeconds | Buckets::Lost => HOT.0,
        };
        let by_redis = all.only(Record::is_normal);
        by_redis.assert_within("decided by Redis", HOT.0, HOT.2, extra);
        all.only(Record::is_degraded).assert_within("decided locally", HOT.0, HOT.2, 0);
    }

    /// Asserts that Redis took from every bucket what it admitted, and at most the checks besides
    /// that it did not answer.
    #[track_caller]
    pub(super) fn charged_at_most_once(&mut self, front: &Front, from: Duration, buckets: Buckets) {
        let (mut charged, mut admitted) = (0, 0);
        for key in (0..ROOMY_KEYS).map(roomy) {
            let of_key = self.history.only(|record| record.request.key == key);
            let certain = of_key.only(Record::is_normal).admitted();
            let unknown = of_key.only(Record::is_degraded).admitted();
            let late = |record: &Record| {
                record.is_normal()
                    && record.end + Duration::from_secs(2) >= from
                    && record.start <= from
            };
            let forgivable = match buckets {
                Buckets::Kept => self.decided_in_lags(&of_key).sum(),
                Buckets::KeptButTheLastTwoSeconds => of_key.only(late).admitted(),
                Buckets::Lost => certain,
            };
            let taken = taken(front, &of_key.records()[0].request);
            let most = certain + unknown;
            assert!(
                (certain - forgivable..=most).contains(&taken),
                "{key}: Redis took {taken}, not {certain} (less {forgivable}) to {most}"
            );
            self.lost_tokens += certain.saturating_sub(taken);
            charged += taken;
            admitted += certain;
        }
        // Of the checks without an answer, only those that were sent can have been charged.
        let most = admitted + front.unanswered();
        assert!(charged <= most, "Redis took {charged}, not at most {most}");
    }

    /// Asserts that Redis was not stormed: one worker at a time connects, in the end about once a
    /// second.
    #[track_caller]
    pub(super) fn connects_were_few(&self, time: Duration) {
        let most = 10.0 + WORKERS as f64 + 1.5 * time.as_secs_f64();
        let made = self.connects.len();
        assert!(made as f64 <= most, "{made} connections in {time:?}, not at most {most}");
    }

    /// Asserts that some checks were decided without Redis.
    #[track_caller]
    pub(super) fn degraded(self) -> Self {
        let without = self.during.only(Record::is_degraded);
        assert!(!without.is_empty(), "all {} answers came from Redis", self.during.len());
        self
    }

    /// Asserts that no check was decided without Redis.
    #[track_caller]
    pub(super) fn not_degraded(self) -> Self {
        let without = self.history.only(Record::is_degraded);
        assert!(without.is_empty(), "{:?}", without.records().first());
        self
    }
}

/// Tokens taken from a bucket, according to Redis.
pub(super) fn taken(front: &Front, check: &CheckRequest) -> u64 {
    let LimitSource::Inline(capacity, _) = check.limits else {
        panic!("a check without a limit of its own")
    };
    let mut answer = Value::Null;
    eventually("Redis answers a peek", SOON, || {
        answer = front.post("/peek", &check.body()).body;
        answer["degraded"] == Value::Null
    });
    assert_eq!(answer["limit"], json!(capacity));
    capacity - answer["remaining"].as_u64().expect("a number")
}
