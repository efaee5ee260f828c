//! A primary dies and a replica takes its place.
//!
//! Only writes that the replica had not received are lost: of a key at most what was admitted
//! during the lag, and never more than its bucket holds.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rl_tests::{
    CheckRequest, Fault, FaultProxy, Front, LimitSource, Load, Record, RedisServer, Sentinels,
    Setup, eventually, primary_with_replicas,
};

use super::rig::{Buckets, DEADLINE, OUTAGE, Rig, SOON, WORKERS};

/// Time for which the replica receives nothing while the primary goes on to decide.
const LAG: Duration = Duration::from_millis(500);

/// A primary, its replica, and the link between them.
fn with_replica(setup: impl Fn() -> Setup) -> (RedisServer, RedisServer, FaultProxy) {
    let (primary, replica) = (setup().start(), setup().start());
    let link = FaultProxy::start(primary.port());
    replica.follow_at(link.port(), &primary);
    (primary, replica, link)
}

/// Lets the replica catch up, and then receive nothing more.
fn cut(primary: &RedisServer, replica: &RedisServer, link: &FaultProxy) {
    replica.catch_up(primary);
    link.set(Fault::HoldReplies);
}

#[test]
fn what_the_replica_has_not_heard_is_all_that_is_lost() {
    for (setup, engine) in [(Setup::with_module as fn() -> Setup, "module"), (Setup::plain, "lua")]
    {
        let (primary, replica, link) = with_replica(setup);
        let aftermath = Rig::on(primary, engine, "", DEADLINE).endures(
            LAG + OUTAGE,
            Buckets::Kept,
            |rig| {
                let from = rig.load.now();
                cut(&rig.server, &replica, &link);
                rig.load.run_for(LAG);
                rig.server.kill();
                rig.may_lose_since(from);
            },
            |rig| {
                replica.run::<()>("REPLICAOF NO ONE");
                rig.proxy.set_upstream(replica.port());
            },
        );
        assert!(aftermath.lost_tokens > 0, "{engine}: nothing was lost");
        aftermath.degraded();
    }
}

#[test]
fn a_bucket_that_was_emptied_meanwhile_is_full_again_once() {
    /// Of a bucket that is emptied at once, one that is emptied in the lag, and one that is not.
    const CAPACITIES: [u64; 3] = [5, 30, 1_000_000];
    const RATE: (&str, f64) = ("1/d", 1.0 / 86_400.0);
    let key = |capacity: u64| format!("of {capacity}");
    let (mut primary, replica, link) = with_replica(Setup::with_module);
    let proxy = FaultProxy::start(primary.port());
    let front = Front::start(&["--store", &proxy.url(), "--workers", "2"]);
    let is_lagging = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_lagging);
    let load = Load::start(&[&front], 6, move |chance| {
        let capacity = match flag.load(Ordering::Relaxed) {
            true => CAPACITIES[chance.usize(0..CAPACITIES.len())],
            false => 1000,
        };
        CheckRequest { key: key(capacity), limits: LimitSource::Inline(capacity, RATE.0), cost: 1 }
    });
    load.run_for_answers(50);
    cut(&primary, &replica, &link);
    is_lagging.store(true, Ordering::Relaxed);
    // First by the primary, and then by its replica.
    let emptied = |what: &str, from: Duration| {
        load.run_until(what, SOON, |records| {
            CAPACITIES[..2].iter().all(|capacity| {
                let denied = |it: &Record| it.decision.is_some_and(|decision| !decision.allowed);
                let mut since = records.iter().filter(|it| it.start >= from);
                since.any(|it| it.request.key == key(*capacity) && it.is_normal() && denied(it))
            })
        });
    };
    emptied("buckets are emptied", Duration::ZERO);
    primary.kill();
    let killed = load.now();
    replica.run::<()>("REPLICAOF NO ONE");
    proxy.set_upstream(replica.port());
    let promoted = load.now();
    load.run_until("the replica decides within 2 s", Duration::from_secs(4), |records| {
        records.iter().rev().take_while(|it| it.start >= promoted).any(Record::is_normal)
    });
    // A front remembers a denial for a second at most.
    emptied("buckets are emptied again", promoted + Duration::from_millis(1100));
    let history = load.finish();
    for capacity in CAPACITIES {
        let by_redis = history.only(|it| it.request.key == key(capacity) && it.is_normal());
        let in_lag = by_redis.only(|record| record.start <= killed).admitted();
        let extra = in_lag.min(capacity);
        by_redis.assert_within(&key(capacity), capacity, RATE.1, extra);
        if in_lag == capacity {
            let admitted = by_redis.admitted();
            assert!(admitted > capacity, "of {capacity} nothing was lost: {admitted}");
        }
    }
}

#[test]
fn sentinels_replace_one_primary_after_the_other() {
    const TIMES: usize = 4;
    /// Time by which a replica may lag on a busy machine.
    const BEHIND: Duration = Duration::from_millis(500);
    let mut replicas = primary_with_replicas(Setup::with_module, 2);
    let primary = replicas.remove(0);
    let sentinels = Sentinels::watch(&primary, replicas.len());
    // Sentinels wait twice this time between two failovers.
    sentinels.set("failover-timeout", 2000);
    let first = sentinels.ports()[0];
    let proxy = FaultProxy::start(first);
    let through = format!(":{}", proxy.port());
    let store = sentinels.url().replace(&format!(":{first}"), &through);
    let mut connects = 0;
    let flags = Rig::flags(&store, "module", DEADLINE);
    let front = Front::start(&flags.each_ref().map(String::as_str));
    let aftermath = Rig::over(front, primary, proxy, DEADLINE).endures(
        Duration::ZERO,
        Buckets::Kept,
        |rig| {
            let start = rig.load.now();
            for _ in 0..TIMES {
                connects += role_calls(&rig.server);
                let from = rig.load.now().saturating_sub(BEHIND);
                rig.server.kill();
                rig.may_lose_since(from);
                let mut next = 0;
                eventually("another server is the primary", SOON, || {
                    let port = sentinels.primary();
                    let found = replicas.iter().position(|it| it.port() == port);
                    next = found.unwrap_or(next);
                    found.is_some() && replicas[next].info("role") == "master"
                });
                mem::swap(&mut rig.server, &mut replicas[next]);
                rig.is_normal();
                // The old primary comes back, set up by an operator.
                replicas[next].start_again();
                for replica in &replicas {
                    replica.follow(&rig.server);
                }
            }
            connects += role_calls(&rig.server);
            let time = rig.load.now() - start;
            let most = (1 + TIMES) * (10 + WORKERS) + time.as_secs() as usize * 3 / 2;
            assert!(connects <= most, "{connects} connections in {time:?}, not at most {most}");
            assert!(connects >= (1 + TIMES) * WORKERS, "{connects}");
        },
        |_| (),
    );
    aftermath.degraded();
}

/// Calls of `ROLE`, which a front sends once on each connection, and no other client sends.
fn role_calls(server: &RedisServer) -> usize {
    let stats: String = server.run("INFO commandstats");
    let role = stats.lines().find_map(|line| line.strip_prefix("cmdstat_role:calls="));
    role.and_then(|it| it.split(',').next()?.parse().ok()).unwrap_or_default()
}
