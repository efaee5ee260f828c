//! Two sides that cannot reach each other, each with a front and a Redis that takes writes.
//!
//! The primary and a front are on one side; on the other a front, two replicas and the Sentinels, which make
//! one of them the primary. While both decide, each admits what the limit allows, and when the link is back what the
//! old one decided is lost. With `min-replicas-to-write 1` the old primary stops by itself.

use std::sync::Arc;
use std::time::Duration;

use rl_tests::{
    CheckRequest, Front, History, LimitSource, Load, Namespace, Record, RedisServer, Sentinels,
    Setup, eventually, skip,
};

use super::rig::{DEADLINE, Rig, SOON, WORKERS};

const CAPACITY: u64 = 20;
const RATE: (&str, f64) = ("50/s", 50.0);
/// How long both decide when nothing stops the old primary.
const BOTH: Duration = Duration::from_secs(2);
/// Promised are 2 s from when Redis can be used again; a busy machine may take as much on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
/// Of both fronts.
const ALL_LINKS: usize = 2 * WORKERS;
/// `min-replicas-max-lag`, in seconds.
const MAX_LAG: u64 = 1;

/// Both sides, at work. The front of each has its place in the records.
struct Sides {
    load: Load,
    fronts: [Front; 2],
    sentinels: Sentinels,
    primary: RedisServer,
    replicas: Vec<RedisServer>,
    // After all that lives in them.
    namespaces: [Arc<Namespace>; 2],
}

/// On the clock of the records.
struct Parted {
    /// When there was no other primary yet.
    from: Duration,
    /// When the other took writes.
    to: Duration,
}

// === impl Sides ===

impl Sides {
    /// Nothing where there are no namespaces.
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

    /// Takes the link down and waits until the other side has a primary that takes writes, and its front
    /// has found it.
    fn part(&self) -> Parted {
        let [here, there] = &self.namespaces;
        here.link_down();
        let mut from = self.load.now();
        there.within(|| {
            eventually("the other side has a primary", SOON, || {
                let before = self.load.now();
                let named = self.sentinels.primary();
                let new = self.replicas.iter().find(|replica| replica.port() == named);
                let new = new.filter(|replica| replica.info("role") == "master");
                if new.is_none() {
                    from = before;
                }
                // That it is the primary is not enough where it must have a replica.
                new.is_some_and(|it| it.try_run::<()>("SET writable 1").is_ok())
            });
        });
        let to = self.load.now();
        self.load.run_until("its front has found it", NORMAL_WITHIN, |records| {
            records.iter().rev().take_while(|it| it.start >= to).any(|it| decided(it, 1))
        });
        Parted { from, to }
    }

    /// Takes the link up and waits until no worker asks the old primary any more, and each asks the new one;
    /// when that was so.
    fn join(&self) -> Duration {
        let [here, _] = &self.namespaces;
        // Of the other side it does not know yet that they are gone.
        let address = format!(" addr={}:", here.host());
        let asks = |client: &str| client.contains(&address) && client.contains(" cmd=rl.");
        here.link_up();
        eventually("all ask the new primary", NORMAL_WITHIN, || {
            let clients = here.within(|| self.primary.try_run::<String>("CLIENT LIST TYPE normal"));
            let sides = self.namespaces.iter().zip(&self.fronts);
            let links: usize = sides.map(|(side, front)| side.within(|| front.links())).sum();
            clients.is_ok_and(|it| !it.lines().any(asks)) && links == ALL_LINKS
        });
        self.load.now()
    }

    /// Lets it go on; then nothing is lost any more, and nothing is had twice.
    fn end(self, one: Duration) -> History {
        self.load.run_for_answers(500);
        let Self { load, fronts: _fronts, .. } = self;
        let history = load.finish();
        let since = by_redis(&history).only(|record| record.start >= one);
        assert!(since.records().iter().any(|it| it.front == 0), "the one front");
        assert!(since.records().iter().any(|it| it.front == 1), "the other front");
        since.assert_within("all is one again", CAPACITY, RATE.1, 0);
        history
    }
}

/// Decided by Redis for this front.
fn decided(record: &Record, front: usize) -> bool {
    record.front == front && record.is_normal()
}

fn by_redis(history: &History) -> History {
    history.only(Record::is_normal)
}

/// What both may admit at once for so long.
fn twice(time: Duration) -> u64 {
    CAPACITY + (RATE.1 * time.as_secs_f64()).ceil() as u64
}

#[test]
fn each_side_admits_what_the_limit_allows() {
    let Some(sides) = Sides::start(Setup::with_module) else {
        skip!("no linked network namespaces here, see ip-netns(8)")
    };
    let parted = sides.part();
    sides.load.run_for(BOTH);
    let until = sides.load.now();
    let one = sides.join();
    let history = sides.end(one);
    let both = one.saturating_sub(parted.from);
    by_redis(&history).assert_within("two primaries", CAPACITY, RATE.1, twice(both));
    // And it is so much: more than one bucket holds.
    let during = by_redis(&history).only(|it| it.start >= parted.to && it.end <= until);
    let admitted = [0, 1].map(|front| during.only(|it| decided(it, front)).admitted());
    let bucket = CAPACITY + (RATE.1 * (until - parted.to).as_secs_f64()) as u64;
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
    let parted = sides.part();
    let until = sides.load.now();
    let one = sides.join();
    sides.namespaces[0].within(|| {
        eventually("the old primary follows the new one", SOON, || {
            let told = sides.primary.try_run::<String>("INFO replication");
            told.is_ok_and(|it| it.contains("role:slave") && it.contains("master_link_status:up"))
        });
    });
    let history = sides.end(one);
    let old = history.only(|it| it.front == 0 && it.start >= cut && it.end <= until);
    let by_policy = old.only(Record::is_degraded);
    assert!(!by_policy.is_empty(), "it never stopped");
    by_policy.assert_within("decided locally", CAPACITY, RATE.1, 0);
    let decided = by_redis(&old).only(Record::is_allowed);
    let stopped = decided.records().iter().map(|it| it.end).max().unwrap_or(cut);
    // It counts whole seconds, and looks once a second.
    let (took, most) = (stopped - cut, Duration::from_secs(MAX_LAG + 2));
    assert!(took <= most, "it stopped after {took:?}");
    let both = stopped.saturating_sub(parted.from);
    assert!(both <= Duration::from_secs(MAX_LAG + 1), "both decided for {both:?}");
    by_redis(&history).assert_within("two primaries", CAPACITY, RATE.1, twice(both));
}
