//! A front under load, a proxy and a Redis, and the promises that hold whatever happens between them.

use std::time::{Duration, Instant};

use rl_tests::{
    Ask, FaultProxy, Front, History, Limits, Load, Record, RedisServer, Scrape, Setup, eventually,
};
use serde_json::{Value, json};

/// Short enough that an outage is many of them, long enough that a busy machine meets it when all is well.
pub(super) const DEADLINE: Duration = Duration::from_millis(100);
/// What a busy machine may take on top of a deadline. Every outage is longer.
const ROOM: Duration = Duration::from_secs(1);
/// An outage in which everybody meets the deadline many times.
pub(super) const OUTAGE: Duration = Duration::from_millis(1500);
/// Promised are 2 s from when Redis can be used again; a busy machine may take as much on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
pub(super) const SOON: Duration = Duration::from_secs(20);
const WORKERS: usize = 2;
const CLIENTS: usize = 6;
/// The bucket that everybody wants: its capacity and rate.
const HOT: (u64, &str, f64) = (20, "200/s", 200.0);
/// Buckets to count charges in: far more than is asked for, and refilled too slowly to show. Each has a
/// capacity of its own, so that an answer meant for another would show.
const ROOMY: (u64, &str) = (1_000_000, "1/d");
const ROOMY_KEYS: u64 = 8;

/// All of it, at work.
pub(super) struct Rig {
    pub(super) server: RedisServer,
    pub(super) proxy: FaultProxy,
    pub(super) front: Front,
    deadline: Duration,
    load: Load,
}

/// What becomes of the buckets in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buckets {
    /// Nothing is lost.
    Kept,
    /// At most what happened in the last two seconds before the fault.
    KeptButTheLastTwoSeconds,
    /// All may be full again, once.
    Lost,
}

/// A story after its end.
pub(super) struct Told {
    /// Everything that clients have seen.
    history: History,
    /// What they saw during the fault.
    pub(super) during: History,
    /// When connections to Redis were made from the fault on.
    pub(super) connects: Vec<Instant>,
}

// === impl Rig ===

impl Rig {
    /// On the module.
    pub(super) fn on_module() -> Self {
        Self::on(Setup::with_module().start(), "module", "", DEADLINE)
    }

    /// On the scripts.
    pub(super) fn on_scripts() -> Self {
        Self::on(Setup::plain().start(), "lua", "", DEADLINE)
    }

    /// On this server and engine, logged in as `login` says (`user:password@`), with this deadline.
    pub(super) fn on(server: RedisServer, engine: &str, login: &str, deadline: Duration) -> Self {
        let proxy = FaultProxy::start(server.port());
        let url = proxy.url().replace("//", &format!("//{login}"));
        let (workers, millis) = (WORKERS.to_string(), deadline.as_millis().to_string());
        let front = Front::start(
            &[
                &["--store", &url, "--engine", engine][..],
                &["--workers", &workers, "--deadline-ms", &millis],
            ]
            .concat(),
        );
        let load = Load::start(&[&front], CLIENTS, |chance| {
            let (key, limits) = match chance.u64(0..ROOMY_KEYS + 3) {
                key if key < ROOMY_KEYS => (roomy(key), roomy_limits(key)),
                _ => ("hot".to_owned(), Limits::Inline(HOT.0, HOT.1)),
            };
            Ask { key, limits, cost: 1 }
        });
        load.answer_more(200);
        Self { server, proxy, front, deadline, load }
    }

    /// Does something bad, waits `outage`, makes it good again, waits until all is normal; then checks
    /// what is promised in every such story.
    #[track_caller]
    pub(super) fn endures(
        mut self,
        outage: Duration,
        buckets: Buckets,
        fault: impl FnOnce(&mut Self),
        heal: impl FnOnce(&mut Self),
    ) -> Told {
        let (from, since) = (self.load.now(), Instant::now());
        fault(&mut self);
        self.load.go_on(outage.saturating_sub(since.elapsed()));
        heal(&mut self);
        let to = self.load.now();
        self.is_normal();
        // And goes on to be.
        self.load.answer_more(50);
        let Self { server: _server, proxy, front, deadline, load } = self;
        let history = load.finish();

        let mut connects = proxy.connects();
        connects.retain(|at| *at > since);
        let during = history.only(|record| record.end >= from && record.start <= to);
        let told = Told { history, during, connects };
        told.everybody_was_answered(deadline);
        told.limits_held(buckets);
        told.charged_at_most_once(&front, from, buckets);
        told.connects_were_few(since.elapsed());
        told
    }

    /// Waits until every link can be asked and checks are decided by Redis again.
    #[track_caller]
    pub(super) fn is_normal(&self) {
        let from = self.load.now();
        eventually("every link is back", NORMAL_WITHIN, || {
            let metrics = Scrape::of(&self.front.text("/metrics"));
            metrics.value(r#"rl_redis_links{state="closed"}"#) == WORKERS as f64
        });
        // For longer than a question lasts: nobody is still waiting for an answer that will not come.
        let lasting = 2 * DEADLINE;
        self.load.until("checks are decided by Redis again", NORMAL_WITHIN, |records| {
            let now = self.load.now();
            let last = records.iter().rev().take_while(|record| record.end + lasting >= now);
            let (count, normal) = (last.clone().count(), last.filter(|it| it.is_normal()).count());
            now >= from + lasting && count >= 10 && normal == count
        });
    }
}

fn roomy(key: u64) -> String {
    format!("roomy{key}")
}

fn roomy_limits(key: u64) -> Limits {
    Limits::Inline(ROOMY.0 + key, ROOMY.1)
}

// === impl Told ===

impl Told {
    /// In time, and everybody about their own bucket.
    #[track_caller]
    fn everybody_was_answered(&self, deadline: Duration) {
        let slowest = self.history.slowest();
        assert!(slowest <= deadline + ROOM, "an answer took {slowest:?}");
        for record in self.history.records() {
            let Limits::Inline(capacity, _) = record.ask.limits else { continue };
            let seen = record.seen.expect("an answer from the front");
            assert_eq!(seen.limit, capacity, "an answer for somebody else: {record:?}");
        }
    }

    /// In no stretch of time more than the limit: of Redis's answers, and of those that stood in.
    #[track_caller]
    fn limits_held(&self, buckets: Buckets) {
        let extra = if buckets == Buckets::Kept { 0 } else { HOT.0 };
        let hot = |which: fn(&Record) -> bool| {
            self.history.only(|record| record.ask.key == "hot" && which(record))
        };
        hot(Record::is_normal).assert_within("decided by Redis", HOT.0, HOT.2, extra);
        hot(Record::is_degraded).assert_within("decided locally", HOT.0, HOT.2, 0);
    }

    /// Redis holds for every key what it admitted, and at most what it was asked for and did not answer.
    #[track_caller]
    fn charged_at_most_once(&self, front: &Front, from: Duration, buckets: Buckets) {
        let (mut charged, mut admitted) = (0, 0);
        for key in (0..ROOMY_KEYS).map(roomy) {
            let of_key = self.history.only(|record| record.ask.key == key);
            let certain = of_key.only(Record::is_normal).admitted();
            let unknown = of_key.only(Record::is_degraded).admitted();
            let late = |record: &Record| {
                record.is_normal()
                    && record.end + Duration::from_secs(2) >= from
                    && record.start <= from
            };
            let forgivable = match buckets {
                Buckets::Kept => 0,
                Buckets::KeptButTheLastTwoSeconds => of_key.only(late).admitted(),
                Buckets::Lost => certain,
            };
            let taken = taken(front, &of_key.records()[0].ask);
            let most = certain + unknown;
            assert!(
                (certain - forgivable..=most).contains(&taken),
                "{key}: Redis took {taken}, not {certain} (less {forgivable}) to {most}"
            );
            charged += taken;
            admitted += certain;
        }
        // Of those that got no answer, only the ones that were sent can have been charged.
        let metrics = Scrape::of(&front.text("/metrics"));
        let sent = ["late", "failed"].map(|reason| {
            metrics.value(&format!(r#"rl_redis_errors_total{{reason="{reason}"}}"#)) as u64
        });
        let unknown: u64 = sent.iter().sum();
        let most = admitted + unknown;
        assert!(charged <= most, "Redis took {charged}, not at most {most}");
    }

    /// A Redis in trouble is not stormed: it is tried by one worker, in the end about once a second.
    #[track_caller]
    fn connects_were_few(&self, time: Duration) {
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
pub(super) fn taken(front: &Front, ask: &Ask) -> u64 {
    let Limits::Inline(capacity, _) = ask.limits else { panic!("a bucket of its own") };
    let mut answer = Value::Null;
    eventually("Redis says what is left", SOON, || {
        answer = front.post("/peek", &ask.body()).body;
        answer["degraded"] == Value::Null
    });
    assert_eq!(answer["limit"], json!(capacity));
    capacity - answer["remaining"].as_u64().expect("a number")
}
