//! An episode: one fault under load.

use std::time::Duration;

use fastrand::Rng;
use rl_tests::{CheckRequest, Front, LimitSource, Load, Record, eventually};
use serde_json::Value;

use crate::audit::{self, HOT, ROOMY, Stats};
use crate::fault::FaultKind;
use crate::host_name::HostName;
use crate::stall_meter::StallMeter;
use crate::topology::{TIMEOUT, Topology, query, wait_for_sync};

/// An episode in which every promise was kept.
pub(crate) struct Episode {
    pub(crate) fault: FaultKind,
    pub(crate) stats: Stats,
}

/// The time for which checks must be decided by Redis until operation counts as normal. It exceeds
/// the deadline, so that no degraded reply can still be on its way.
const SETTLING_TIME: Duration = Duration::from_millis(200);
/// The bound on recovery: 2 s are promised, and a busy machine may add as much again.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
const WORKERS: usize = 2;

/// Two fronts on the same buckets, one with the module and one with the scripts.
pub(crate) struct Fronts {
    pub(crate) both: [Front; 2],
    deadline: Duration,
}

// === impl Fronts ===

impl Fronts {
    pub(crate) fn start(host: &HostName, url: &str, deadline: Duration) -> Self {
        let both = ["module", "lua"].map(|engine| start_front(host, url, engine, deadline));
        Self { both, deadline }
    }

    /// Starts others in their place, unless they have this deadline.
    fn have_deadline(&mut self, deadline: Duration, host: &HostName, url: &str) {
        if self.deadline != deadline {
            *self = Self::start(host, url, deadline);
        }
    }
}

/// Runs one episode. Fails if a promise was not kept.
pub(crate) fn run(
    topology: &mut impl Topology,
    host: &HostName,
    fronts: &mut Fronts,
    fault: FaultKind,
    rng: &mut Rng,
) -> Episode {
    let url = topology.url(host.as_str());
    fronts.have_deadline(fault.deadline(), host, &url);
    let fronts = &mut fronts.both;
    let (primaries_before, taken_before) = (topology.primaries(), taken(&fronts[1]));
    let unanswered_before = unanswered(fronts);
    let key = audit::random_key(rng).to_owned();
    let load = Load::start(&[&fronts[0], &fronts[1]], fault.clients(), |rng| {
        let key = audit::random_key(rng).to_owned();
        let limits = if key.starts_with("hot") {
            LimitSource::Inline(HOT.0, HOT.1)
        } else {
            LimitSource::Inline(ROOMY.0, ROOMY.1)
        };
        CheckRequest { key, limits, cost: 1 }
    });
    let stall_meter = StallMeter::start(load.now());
    load.run_for_answers(200);

    let is_alive = |record: &Record| fault != FaultKind::KillFront || record.front != 0;
    let run_until_normal = |what: &str, since: Duration| {
        load.run_until(what, NORMAL_WITHIN, |records| {
            let now = load.now();
            let recent = records.iter().rev().take_while(|it| it.end + SETTLING_TIME >= now);
            let recent: Vec<_> = recent.filter(|record| is_alive(record)).collect();
            now >= since + SETTLING_TIME
                && recent.len() >= 10
                && recent.iter().all(|it| it.is_normal())
        });
    };
    let fault_at = load.now();
    let mut injected = fault.inject(topology, fronts, &key, rng);
    if fault.is_overcome() {
        run_until_normal("Redis decides checks although the fault lasts", load.now());
        // And a front that knows the seeds only finds it too.
        let late = start_front(host, &url, "auto", fault.deadline());
        eventually("a new front is connected", NORMAL_WITHIN, || late.links() == WORKERS);
    }
    load.run_for(fault.duration(rng));
    let healed_at = load.now();
    injected.heal(topology);
    eventually("Redis accepts writes", TIMEOUT, || is_writable(topology));
    let writable_at = load.now();
    run_until_normal("Redis decides checks again", writable_at);
    let normal_at = load.now();
    load.run_for_answers(50);
    let history = load.finish();
    let stalls = stall_meter.stop();

    let unanswered =
        (fault != FaultKind::KillFront).then(|| unanswered(fronts) - unanswered_before);
    if fault == FaultKind::KillFront {
        fronts[0] = start_front(host, &url, "module", fault.deadline());
    }
    topology.primaries(); // waits until the servers agree
    injected.repair(topology);
    wait_for_sync(topology);
    for front in &*fronts {
        eventually("every worker is connected", TIMEOUT, || front.links() == WORKERS);
    }
    let observations = audit::Observations {
        history,
        deadline: fault.deadline(),
        was_killed: fault == FaultKind::Kill,
        had_takeover: topology.primaries() != primaries_before,
        fault_at,
        healed_at,
        margin: injected.margin,
        writable_at,
        normal_at,
        taken: (taken_before, taken(&fronts[1])),
        unanswered,
        stalls,
    };
    Episode { fault, stats: observations.audit(is_alive) }
}

fn start_front(host: &HostName, url: &str, engine: &str, deadline: Duration) -> Front {
    let (workers, millis) = (WORKERS.to_string(), deadline.as_millis().to_string());
    let mut command = host.front();
    command.args(["--listen", "127.0.0.1:0", "--store", url, "--engine", engine]);
    command.args(["--workers", &workers, "--deadline-ms", &millis]).env_remove("PORT");
    let front = Front::launch(command);
    front.wait_until_ready();
    front
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
