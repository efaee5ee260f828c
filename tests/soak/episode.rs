//! An episode: one fault under load.

use std::time::Duration;

use fastrand::Rng;
use rl_tests::{CheckRequest, Front, LimitSource, Load, Record, eventually};
use serde_json::Value;

use crate::audit::{self, HOT, ROOMY, Stats};
use crate::fault::FaultKind;
use crate::stall_meter::StallMeter;
use crate::topology::{TIMEOUT, Topology, query, wait_for_sync};

/// An episode in which every promise was kept.
pub(crate) struct Episode {
    pub(crate) fault: FaultKind,
    pub(crate) stats: Stats,
}

pub(crate) const DEADLINE: Duration = Duration::from_millis(100);
/// The time for which checks must be decided by Redis until operation counts as normal. It exceeds
/// the deadline, so that no degraded reply can still be on its way.
const SETTLING_TIME: Duration = Duration::from_millis(200);
/// The bound on recovery: 2 s are promised, and a busy machine may add as much again.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
const CLIENTS: usize = 4;
const WORKERS: usize = 2;

/// Starts two fronts on the same buckets, one with the module and one with the scripts.
pub(crate) fn fronts(url: &str) -> [Front; 2] {
    ["module", "lua"].map(|engine| front(url, engine))
}

fn front(url: &str, engine: &str) -> Front {
    let (workers, millis) = (WORKERS.to_string(), DEADLINE.as_millis().to_string());
    let store = ["--store", url, "--engine", engine];
    Front::start(&[&store[..], &["--workers", &workers, "--deadline-ms", &millis]].concat())
}

/// Runs one episode. Fails if a promise was not kept.
pub(crate) fn run(
    topology: &mut impl Topology,
    fronts: &mut [Front; 2],
    fault: FaultKind,
    rng: &mut Rng,
) -> Episode {
    let (primaries_before, taken_before) = (topology.primaries(), taken(&fronts[1]));
    let unanswered_before = unanswered(fronts);
    let key = audit::random_key(rng).to_owned();
    let load = Load::start(&[&fronts[0], &fronts[1]], CLIENTS, |rng| {
        let key = audit::random_key(rng).to_owned();
        let limits = if key.starts_with("hot") {
            LimitSource::Inline(HOT.0, HOT.1)
        } else {
            LimitSource::Inline(ROOMY.0, ROOMY.1)
        };
        CheckRequest { key, limits, cost: 1 }
    });
    let stall_meter = StallMeter::start();
    load.run_for_answers(200);

    let fault_at = load.now();
    let injected = fault.inject(topology, fronts, &key, rng);
    load.run_for(fault.duration(rng));
    injected.heal(topology);
    eventually("Redis accepts writes", TIMEOUT, || is_writable(topology));
    let writable_at = load.now();
    let is_alive = |record: &Record| fault != FaultKind::KillFront || record.front != 0;
    load.run_until("Redis decides checks again", NORMAL_WITHIN, |records| {
        let now = load.now();
        let recent = records.iter().rev().take_while(|record| record.end + SETTLING_TIME >= now);
        let recent: Vec<_> = recent.filter(|record| is_alive(record)).collect();
        now >= writable_at + SETTLING_TIME
            && recent.len() >= 10
            && recent.iter().all(|it| it.is_normal())
    });
    let normal_at = load.now();
    load.run_for_answers(50);
    let history = load.finish();
    let longest_stall = stall_meter.stop();

    let unanswered =
        (fault != FaultKind::KillFront).then(|| unanswered(fronts) - unanswered_before);
    if fault == FaultKind::KillFront {
        fronts[0] = front(&topology.url(), "module");
    }
    topology.primaries(); // waits until the servers agree
    injected.repair(topology);
    wait_for_sync(topology);
    for front in &*fronts {
        eventually("every worker is connected", TIMEOUT, || front.links() == WORKERS);
    }
    let observations = audit::Observations {
        history,
        was_killed: fault == FaultKind::Kill,
        had_takeover: topology.primaries() != primaries_before,
        fault_at,
        writable_at,
        normal_at,
        taken: (taken_before, taken(&fronts[1])),
        unanswered,
        longest_stall,
    };
    Episode { fault, stats: observations.audit(is_alive) }
}

/// Whether the primary of every key is running, reachable and accepts writes.
fn is_writable(topology: &impl Topology) -> bool {
    audit::keys().all(|key| {
        let primary = &topology.servers()[topology.primary(key)];
        query(primary, &format!("SET {{{key}}}soak 1")) == "OK"
    })
}

/// The number of Redis requests that were sent and not answered, by the fronts' own count.
fn unanswered(fronts: &[Front]) -> u64 {
    fronts.iter().map(Front::unanswered).sum()
}

/// The number of tokens taken from each of the roomy buckets, according to Redis.
fn taken(front: &Front) -> Vec<u64> {
    let taken_from = |key: &str| {
        let limits = LimitSource::Inline(ROOMY.0, ROOMY.1);
        let body = CheckRequest { key: key.to_owned(), limits, cost: 1 }.body();
        let mut reply = Value::Null;
        eventually("Redis answers a peek", TIMEOUT, || {
            reply = front.post("/peek", &body).body;
            reply["degraded"] == Value::Null && reply["remaining"].is_u64()
        });
        ROOMY.0 - reply["remaining"].as_u64().expect("a number")
    };
    audit::roomy_keys().map(taken_from).collect()
}
