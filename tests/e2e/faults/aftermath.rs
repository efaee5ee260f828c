//! What came of a story, held against what is promised in every one.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rl_tests::{CheckRequest, Front, History, LimitSource, Record, eventually};
use serde_json::{Value, json};

use super::rig::{Buckets, HOT, ROOMY_KEYS, SOON, WORKERS, roomy};

/// A story after its end.
pub(super) struct Aftermath {
    /// Everything that clients have seen.
    pub(super) history: History,
    /// What they saw during the fault.
    pub(super) during: History,
    /// When connections to Redis were made from the fault on.
    pub(super) connects: Vec<Instant>,
    /// What was decided in these times, on the clock of the records, may be lost.
    pub(super) lags: Vec<Lag>,
    /// Tokens that Redis is known to have taken and to hold no more.
    pub(super) lost: u64,
}

pub(super) type Lag = RangeInclusive<Duration>;

/// What a busy machine may take on top of a deadline. Every outage is longer.
const ROOM: Duration = Duration::from_secs(1);

// === impl Aftermath ===

impl Aftermath {
    /// In time, and everybody about their own bucket.
    #[track_caller]
    pub(super) fn everybody_was_answered(&self, deadline: Duration) {
        let slowest = self.history.slowest();
        assert!(slowest <= deadline + ROOM, "an answer took {slowest:?}");
        for record in self.history.records() {
            let LimitSource::Inline(capacity, _) = record.request.limits else { continue };
            let seen = record.decision.expect("an answer from the front");
            assert_eq!(seen.limit, capacity, "an answer for somebody else: {record:?}");
        }
    }

    /// Of these, what was decided by Redis in any of the lags.
    fn decided_in_lags(&self, history: &History) -> impl Iterator<Item = u64> {
        self.lags.iter().map(|lag| {
            let within = |record: &Record| record.end >= *lag.start() && record.start <= *lag.end();
            history.only(|record| record.is_normal() && within(record)).admitted()
        })
    }

    /// In no stretch of time more than the limit: of Redis's answers, and of those that stood in. What is lost
    /// is had again, but of a bucket never more than it holds.
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

    /// Redis holds for every key what it admitted, and at most what it was asked for and did not answer.
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
            self.lost += certain.saturating_sub(taken);
            charged += taken;
            admitted += certain;
        }
        // Of those that got no answer, only the ones that were sent can have been charged.
        let most = admitted + front.unanswered();
        assert!(charged <= most, "Redis took {charged}, not at most {most}");
    }

    /// A Redis in trouble is not stormed: it is tried by one worker, in the end about once a second.
    #[track_caller]
    pub(super) fn connects_were_few(&self, time: Duration) {
        let most = 10.0 + WORKERS as f64 + 1.5 * time.as_secs_f64();
        let made = self.connects.len();
        assert!(made as f64 <= most, "{made} connections in {time:?}, not at most {most}");
    }

    /// Somebody was answered without Redis.
    #[track_caller]
    pub(super) fn degraded(self) -> Self {
        let without = self.during.only(Record::is_degraded);
        assert!(!without.is_empty(), "of {} answers all came from Redis", self.during.len());
        self
    }

    /// Nobody was.
    #[track_caller]
    pub(super) fn not_degraded(self) -> Self {
        let without = self.history.only(Record::is_degraded);
        assert!(without.is_empty(), "{:?}", without.records().first());
        self
    }
}

/// What has been taken from a bucket, as Redis says it.
pub(super) fn taken(front: &Front, ask: &CheckRequest) -> u64 {
    let LimitSource::Inline(capacity, _) = ask.limits else { panic!("a bucket of its own") };
    let mut answer = Value::Null;
    eventually("Redis says what is left", SOON, || {
        answer = front.post("/peek", &ask.body()).body;
        answer["degraded"] == Value::Null
    });
    assert_eq!(answer["limit"], json!(capacity));
    capacity - answer["remaining"].as_u64().expect("a number")
}
