//! Clients that send checks to fronts and record the replies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use ureq::Agent;

use super::{Decision, History, Record};
use crate::process::eventually;
use crate::{Front, Namespace, Seed};

/// A check to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRequest {
    /// The caller's key.
    pub key: String,
    /// The limits to check it against.
    pub limits: LimitSource,
    /// The tokens it asks for.
    pub cost: u64,
}

/// The limits of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// Those of a configured policy.
    Policy(&'static str),
    /// An inline limit: capacity and rate.
    Inline(u64, &'static str),
}

/// Clients at work, until the load is finished or dropped.
pub struct Load {
    started: Instant,
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    _seed: Seed,
}

struct Shared {
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
}

/// The longest pause of a client between a reply and its next request, which leaves the processor
/// to the servers.
const MAX_PAUSE_MICROS: u64 = 4000;

// === impl CheckRequest ===

impl CheckRequest {
    /// The body of `POST /check`.
    pub fn body(&self) -> String {
        let Self { key, cost, .. } = self;
        let body = match self.limits {
            LimitSource::Policy(policy) => json!({ "key": key, "cost": cost, "policy": policy }),
            LimitSource::Inline(capacity, rate) => {
                json!({ "key": key, "cost": cost, "capacity": capacity, "rate": rate })
            }
        };
        body.to_string()
    }
}

// === impl Load ===

impl Load {
    /// Starts `clients` threads that send the requests `make_request` returns. Clients are assigned
    /// to fronts round-robin, and each keeps to its front.
    pub fn start(
        fronts: &[&Front],
        clients: usize,
        make_request: impl Fn(&mut Rng) -> CheckRequest + Send + Sync + 'static,
    ) -> Self {
        let fronts: Vec<_> = fronts.iter().map(|front| (*front, None)).collect();
        Self::start_in_namespaces(&fronts, clients, make_request)
    }

    /// Like [`start`](Self::start), for fronts that are reached from within a network namespace.
    pub fn start_in_namespaces(
        fronts: &[(&Front, Option<&Arc<Namespace>>)],
        clients: usize,
        make_request: impl Fn(&mut Rng) -> CheckRequest + Send + Sync + 'static,
    ) -> Self {
        let (started, seed, make_request) = (Instant::now(), Seed::new(), Arc::new(make_request));
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), records: Mutex::default() });
        let clients = (0..clients).map(|client| {
            let front = client % fronts.len();
            let (target, namespace) = fronts[front];
            let (caller, namespace) = (Caller::new(target), namespace.cloned());
            let (shared, make_request, mut rng) =
                (Arc::clone(&shared), Arc::clone(&make_request), seed.rng(client));
            thread::spawn(move || {
                if let Some(namespace) = namespace {
                    namespace.enter();
                }
                while !shared.stop.load(Ordering::Relaxed) {
                    let request = make_request(&mut rng);
                    let start = started.elapsed();
                    let decision = caller.check(&request);
                    let end = started.elapsed();
                    shared.records().push(Record { start, end, front, request, decision });
                    thread::sleep(Duration::from_micros(rng.u64(0..MAX_PAUSE_MICROS)));
                }
            })
        });
        let clients = clients.collect();
        Self { started, shared, clients, _seed: seed }
    }

    /// The current time, on the clock of the records.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Lets the load run for this long.
    pub fn run_for(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Lets the load run until `condition` holds of the records so far. Fails after `timeout`.
    #[track_caller]
    pub fn run_until(
        &self,
        what: &str,
        timeout: Duration,
        mut condition: impl FnMut(&[Record]) -> bool,
    ) {
        eventually(what, timeout, || condition(&self.shared.records()));
    }

    /// Lets the load run until `count` more requests have been answered.
    #[track_caller]
    pub fn run_for_answers(&self, count: usize) {
        let from = self.now();
        self.run_until("more answers", Duration::from_secs(60), |records| {
            records.iter().rev().take_while(|record| record.end >= from).count() >= count
        });
    }

    /// Stops the clients and returns all records. Fails if a client failed.
    #[track_caller]
    pub fn finish(mut self) -> History {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("a client without a failure");
        }
        std::mem::take(&mut *self.shared.records()).into_iter().collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _ = client.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client and its persistent connection.
struct Caller {
    agent: Agent,
    url: String,
}

// === impl Caller ===

impl Caller {
    fn new(front: &Front) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { agent, url: format!("http://{}/check", front.address()) }
    }

    /// Sends one check. A front answers with a decision whatever happens to Redis; `None` means
    /// that the front is gone.
    fn check(&self, request: &CheckRequest) -> Option<Decision> {
        let mut response = self.agent.post(&self.url).send(request.body()).ok()?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string().ok()?;
        assert_eq!(status, 200, "{text}");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let number =
            |field: &str| body[field].as_u64().unwrap_or_else(|| panic!("{field}: {text}"));
        Some(Decision {
            allowed: body["allowed"].as_bool().expect("a decision"),
            degraded: body["degraded"].as_bool().unwrap_or(false),
            limit: number("limit"),
            remaining: number("remaining"),
        })
    }
}
