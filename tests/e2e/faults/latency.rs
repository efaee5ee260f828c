//! Round trips that take most of a check's deadline: nothing is degraded, and nothing reconnects.

use std::thread;
use std::time::{Duration, Instant};

use super::aftermath::taken;
use rl_tests::{
    Caller, CheckRequest, Cluster, Fault, FaultProxy, Front, LimitSource, RedisServer, Sentinels,
    Setup,
};

/// Long enough that a tenth of it is no time for which a busy machine stops a test.
const DEADLINE: Duration = Duration::from_secs(2);
/// Round trips, as shares of the deadline.
const ROUND_TRIPS: [f64; 4] = [0.4, 0.6, 0.8, 0.9];
const CALLERS: [usize; 4] = [1, 2, 20, MOST_CALLERS];
const MOST_CALLERS: usize = 200;
/// Checks that each caller makes, one after the other.
const CHECKS: usize = 2;

/// Servers, proxies in front of them, and a front of one worker that reaches them through those.
struct SlowRig {
    front: Front,
    proxies: Vec<FaultProxy>,
    _servers: Vec<RedisServer>,
    _sentinels: Option<Sentinels>,
    _cluster: Option<Cluster>,
}

fn setup(engine: &str) -> Setup {
    if engine == "module" { Setup::with_module() } else { Setup::plain() }
}

fn is_degraded(caller: &mut Caller) -> bool {
    caller.answer()["degraded"] == true
}

fn start_front(store: &str, engine: &str) -> Front {
    let deadline = DEADLINE.as_millis().to_string();
    let store = ["--store", store, "--engine", engine];
    Front::start(&[&store[..], &["--workers", "1", "--deadline-ms", &deadline]].concat())
}

#[track_caller]
fn holds(start: impl Fn(&str) -> SlowRig + Sync) {
    thread::scope(|scope| {
        for engine in ["module", "lua"] {
            let start = &start;
            scope.spawn(move || start(engine).holds(engine));
        }
    });
}

#[test]
fn a_round_trip_just_below_the_deadline_degrades_nothing() {
    holds(|engine| {
        let server = setup(engine).start();
        let proxy = FaultProxy::start(server.port());
        let front = start_front(&proxy.url(), engine);
        SlowRig {
            front,
            proxies: vec![proxy],
            _servers: vec![server],
            _sentinels: None,
            _cluster: None,
        }
    });
}

#[test]
fn a_round_trip_just_below_the_deadline_degrades_nothing_with_sentinels() {
    holds(|engine| {
        let server = setup(engine).start();
        let proxy = FaultProxy::start(server.port());
        let sentinels = Sentinels::watch_at(proxy.port(), 0);
        let front = start_front(&sentinels.url(), engine);
        SlowRig {
            front,
            proxies: vec![proxy],
            _servers: vec![server],
            _sentinels: Some(sentinels),
            _cluster: None,
        }
    });
}

#[test]
fn a_round_trip_just_below_the_deadline_degrades_nothing_in_a_cluster() {
    holds(|engine| {
        let proxies: Vec<_> = (0..3).map(|_| FaultProxy::start(0)).collect();
        let node = |index: usize| {
            let port = proxies[index].port().to_string();
            setup(engine).option(&["cluster-announce-port", &port])
        };
        let cluster = Cluster::start_each(node, 3, 3);
        for (proxy, node) in proxies.iter().zip(cluster.nodes()) {
            proxy.set_upstream(node.port());
        }
        let front = start_front(&cluster.url(), engine);
        SlowRig { front, proxies, _servers: Vec::new(), _sentinels: None, _cluster: Some(cluster) }
    });
}

#[test]
fn a_stall_within_the_deadline_degrades_only_what_is_older() {
    let server = Setup::with_module().start();
    let proxy = FaultProxy::start(server.port());
    let front = start_front(&proxy.url(), "module");
    let request = CheckRequest {
        key: "k".to_owned(),
        limits: LimitSource::Inline(1_000_000, "1/d"),
        cost: 1,
    };
    assert_eq!(taken(&front, &request), 0, "Redis is reached");
    proxy.set(Fault::HoldReplies);
    let started = Instant::now();
    // As shares of the deadline: the stall ends at 1.3, and the last is due at 1.6.
    let mut callers: Vec<_> = [0.0, 0.1, 0.6]
        .into_iter()
        .map(|share| {
            thread::sleep(DEADLINE.mul_f64(share).saturating_sub(started.elapsed()));
            let mut caller = Caller::of(&front);
            caller.send(&request);
            caller
        })
        .collect();
    thread::sleep(DEADLINE.mul_f64(1.3).saturating_sub(started.elapsed()));
    proxy.clear();
    let degraded: Vec<_> = callers.iter_mut().map(is_degraded).collect();
    assert_eq!(degraded, [true, true, false]);
    assert_eq!(taken(&front, &request), 3, "each is charged once");
}

// === impl SlowRig ===

impl SlowRig {
    fn holds(self, engine: &str) {
        let request = |key: usize| CheckRequest {
            key: format!("key {key}"),
            limits: LimitSource::Inline(1_000_000, "1/d"),
            cost: 1,
        };
        let mut sent = [0; MOST_CALLERS];
        for key in 0..MOST_CALLERS {
            assert_eq!(taken(&self.front, &request(key)), 0, "every node is reached");
        }
        for share in ROUND_TRIPS {
            let (each_way, jitter) = (DEADLINE.mul_f64(share / 2.0), Duration::ZERO);
            for proxy in &self.proxies {
                proxy.set(Fault::Latency { each_way, jitter });
            }
            for count in CALLERS {
                let mut callers: Vec<_> = (0..count).map(|_| Caller::of(&self.front)).collect();
                let pace = DEADLINE.mul_f64(share) / u32::try_from(count).unwrap();
                let mut degraded = 0;
                for round in 0..=CHECKS {
                    for (key, caller) in callers.iter_mut().enumerate() {
                        if round > 0 {
                            degraded += usize::from(is_degraded(caller));
                        }
                        if round < CHECKS {
                            caller.send(&request(key));
                            sent[key] += 1;
                        }
                        if round == 0 {
                            thread::sleep(pace); // spreads the callers over a round trip
                        }
                    }
                }
                let checks = count * CHECKS;
                assert!(
                    degraded * 200 <= checks,
                    "{engine}, round trips of {share} D, {count} callers: \
                     {degraded} of {checks} degraded\n{}",
                    self.front.log()
                );
            }
        }
        self.proxies.iter().for_each(FaultProxy::clear);
        let log = self.front.log();
        assert!(!log.contains("connection lost"), "{log}");
        for (key, sent) in sent.into_iter().enumerate() {
            assert_eq!(taken(&self.front, &request(key)), sent, "{engine}: charged once each");
        }
    }
}
