//! Two sides that cannot reach each other, each with a front and a Redis that takes writes.
//!
//! One side has the primary and a front; the other has a front, two replicas, and the Sentinels,
//! which promote one of the replicas. While both primaries decide, each admits what the limit
//! allows; when the link is back, the decisions of the old one are lost. With
//! `min-replicas-to-write 1` the old primary stops by itself.

use std::sync::Arc;
use std::time::Duration;

use rl_tests::{
    CheckRequest, Front, History, LimitSource, Load, Namespace, Record, RedisServer, Sentinels,
    Setup, eventually, skip,
};

use super::rig::{DEADLINE, Rig, SOON, WORKERS};

const CAPACITY: u64 = 20;
const RATE: (&str, f64) = ("50/s", 50.0);
/// Time for which both decide when nothing stops the old primary.
const BOTH: Duration = Duration::from_secs(2);
/// The promise is 2 s from when Redis can be used again; a busy machine may take as long on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
/// Connections of both fronts.
const ALL_LINKS: usize = 2 * WORKERS;
/// `min-replicas-max-lag`, in seconds.
const MAX_LAG: u64 = 1;

/// Both sides under load. The index of a front is that of its side, in the records too.
struct Sides {
    load: Load,
    fronts: [Front; 2],
    sentinels: Sentinels,
    primary: RedisServer,
    replicas: Vec<RedisServer>,
    // Dropped last: everything above runs in them.
    namespaces: [Arc<Namespace>; 2],
}

/// The time in which the other side got a primary, on the clock of the records.
struct Takeover {
    /// The last time at which there was no second primary.
    from: Duration,
    /// The time at which it took writes.
    to: Duration,
}

// === impl Sides ===

impl Sides {
    /// Starts both sides; `None` where network namespaces are not permitted.
    fn start(setup: impl Fn() -> Setup + Sync) -> Option<Self> {
        let namespaces = Namespace::pair()?;
        let [here, there] = &namespaces;
        let primary = here.within(|| setup().with_host(here.host()).start());
        let (replicas, sentinels) = there.within(|| {
            let replicas: Vec<_> =
                (0..2).map(|_| setup().with_host(there.host()).start()).collect();
            replicas.iter().for_each(|replica| replica.follow(&primary));
            let sentinels = Sentinels::watch_from(there.host(), &primary, replicas.len());
            (replicas, sentinels)
        });
        let flags = Rig::flags(&sentinels.url(), "module", DEADLINE);
        let flags = flags.each_ref().map(String::as_str);
        let fronts = namespaces.each_ref().map(|side| side.within(|| Front::start(&flags)));
        let clients = [(&fronts[0], Some(here)), (&fronts[1], Some(there))];
        let load = Load::start_in_namespaces(&clients, 8, |_| CheckRequest {
            key: "k".to_owned(),
            limits: LimitSource::Inline(CAPACITY, RATE.0),
            cost: 1,
        });
        load.run_for_answers(200);
        Some(Self { load, fronts, sentinels, primary, replicas, namespaces })
    }

    /// Takes the link down and waits until the other side has a primary that takes writes and its
    /// front uses it.
    fn part(&self) -> Takeover {
        let [here, there] = &self.namespaces;
        here.link_down();
        let mut from = self.load.now();
        there.within(|| {
            eventually("the other side has a primary", SOON, || {
                let before = self.load.now();
                let port = self.sentinels.primary();
                let new = self.replicas.iter().find(|replica| replica.port() == port);
                let new = new.filter(|replica| replica.info("role") == "master");
                if new.is_none() {
                    from = before;
                }
                // A primary that must have a replica does not take writes at once.
                new.is_some_and(|it| it.try_run::<()>("SET writable 1").is_ok())
            });
        });
        let to = self.load.now();
        self.load.run_until("its front uses it", NORMAL_WITHIN, |records| {
            records.iter().rev().take_while(|it| it.start >= to).any(|it| decided(it, 1))
        });
        Takeover { from, to }
    }

    /// Takes the link up and waits until every worker has left the old primary for the new one.
    /// Returns the time at which they had.
    fn join(&self) -> Duration {
        let [here, _] = &self.namespaces;
        // The old primary still lists clients of the other side, which it does not know to be gone.
        let address = format!(" addr={}:", here.host());
        let is_front = |client: &str| client.contains(&address) && client.contains(" cmd=rl.");
        here.link_up();
        eventually("every worker uses the new primary", NORMAL_WITHIN, || {
            let clients = here.within(|| self.primary.try_run::<String>("CLIENT LIST TYPE normal"));
            let sides = self.namespaces.iter().zip(&self.fronts);
            let links: usize = sides.map(|(side, front)| side.within(|| front.links())).sum();
            clients.is_ok_and(|it| !it.lines().any(is_front)) && links == ALL_LINKS
        });
        self.load.now()
    }

    /// Lets the load go on, and asserts that from `joined` on both fronts share one limit again.
    fn end(self, joined: Duration) -> History {
        self.load.run_for_answers(500);
        let Self { load, fronts: _fronts, .. } = self;
        let history = load.finish();
        let since = by_redis(&history).only(|record| record.start >= joined);
        assert!(since.records().iter().any(|it| it.front == 0), "no answer to front 0");
        assert!(since.records().iter().any(|it| it.front == 1), "no answer to front 1");
        since.assert_within("one primary again", CAPACITY, RATE.1, 0);
        history
    }
}

/// Whether Redis decided it, for this front.
fn decided(record: &Record, front: usize) -> bool {
    record.front == front && record.is_normal()
}

fn by_redis(history: &History) -> History {
    history.only(Record::is_normal)
}

/// Tokens admitted on top of the limit while both decide for this time.
fn twice(time: Duration) -> u64 {
    CAPACITY + (RATE.1 * time.as_secs_f64()).ceil() as u64
}

#[test]
fn each_side_admits_what_the_limit_allows() {
    let Some(sides) = Sides::start(Setup::with_module) else {
        skip!("no linked network namespaces here, see ip-netns(8)")
    };
    let takeover = sides.part();
    sides.load.run_for(BOTH);
    let until = sides.load.now();
    let joined = sides.join();
    let history = sides.end(joined);
    let both = joined.saturating_sub(takeover.from);
    by_redis(&history).assert_within("two primaries", CAPACITY, RATE.1, twice(both));
    // And both did decide: more was admitted than one bucket allows.
    let during = by_redis(&history).only(|it| it.start >= takeover.to && it.end <= until);
    let admitted = [0, 1].map(|front| during.only(|it| decided(it, front)).admitted());
    let bucket = CAPACITY + (RATE.1 * (until - takeover.to).as_secs_f64()) as u64;
    assert!(admitted.iter().sum::<u64>() > bucket, "{admitted:?} of {bucket}");
}

#[test]
fn a_primary_that_must_have_a_replica_stops_by_itself() {
    let setup = || {
        let alone = Setup::with_module().option(&["min-replicas-to-write", "1"]);
        alone.option(&["min-replicas-max-lag", &MAX_LAG.to_string()])
    };
    let Some(sides) = Sides::start(setup) else {
        skip!("no linked network namespaces here, see ip-netns(8)")
    };
    let cut = sides.load.now();
    let takeover = sides.part();
    let until = sides.load.now();
    let joined = sides.join();
    sides.namespaces[0].within(|| {
        eventually("the old primary follows the new one", SOON, || {
            let replication = sides.primary.try_run::<String>("INFO replication");
            replication
                .is_ok_and(|it| it.contains("role:slave") && it.contains("master_link_status:up"))
        });
    });
    let history = sides.end(joined);
    let old = history.only(|it| it.front == 0 && it.start >= cut && it.end <= until);
    let by_policy = old.only(Record::is_degraded);
    assert!(!by_policy.is_empty(), "the old primary never stopped");
    by_policy.assert_within("decided locally", CAPACITY, RATE.1, 0);
    let decided = by_redis(&old).only(Record::is_allowed);
    let stopped = decided.records().iter().map(|it| it.end).max().unwrap_or(cut);
    // Redis counts whole seconds of lag, and checks once a second.
    let (took, most) = (stopped - cut, Duration::from_secs(MAX_LAG + 2));
    assert!(took <= most, "it stopped after {took:?}");
    let both = stopped.saturating_sub(takeover.from);
    assert!(both <= Duration::from_secs(MAX_LAG + 1), "both decided for {both:?}");
    by_redis(&history).assert_within("two primaries", CAPACITY, RATE.1, twice(both));
}
