//! Clients that ask fronts and write down what they see.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use ureq::Agent;

use super::{History, Record, Seen};
use crate::process::eventually;
use crate::{Front, Namespace, Seed};

/// What one check asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub key: String,
    /// Under which limits.
    pub limits: Limits,
    /// For how many tokens.
    pub cost: u64,
}

/// The limits of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// Configured ones.
    Policy(&'static str),
    /// Those that come with it: capacity and rate.
    Inline(u64, &'static str),
}

/// Clients at work, until they are told to finish or the load is dropped.
pub struct Load {
    began: Instant,
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    _seed: Seed,
}

struct Shared {
    stop: AtomicBool,
    records: Mutex<Vec<Record>>,
}

/// Between an answer and the next question at most this passes: enough that the clients leave the machine to
/// the servers.
const THINK_MICROS: u64 = 4000;

// === impl Ask ===

impl Ask {
    /// As `POST /check` takes it.
    pub fn body(&self) -> String {
        let Self { key, cost, .. } = self;
        let body = match self.limits {
            Limits::Policy(policy) => json!({ "key": key, "cost": cost, "policy": policy }),
            Limits::Inline(capacity, rate) => {
                json!({ "key": key, "cost": cost, "capacity": capacity, "rate": rate })
            }
        };
        body.to_string()
    }
}

// === impl Load ===

impl Load {
    /// Has `clients` threads ask what `ask` makes up, each always the same front, in turn.
    pub fn start(
        fronts: &[&Front],
        clients: usize,
        ask: impl Fn(&mut Rng) -> Ask + Send + Sync + 'static,
    ) -> Self {
        let fronts: Vec<_> = fronts.iter().map(|front| (*front, None)).collect();
        Self::start_within(&fronts, clients, ask)
    }

    /// The same of fronts that are to be reached from within a namespace.
    pub fn start_within(
        fronts: &[(&Front, Option<&Arc<Namespace>>)],
        clients: usize,
        ask: impl Fn(&mut Rng) -> Ask + Send + Sync + 'static,
    ) -> Self {
        let (began, seed, ask) = (Instant::now(), Seed::new(), Arc::new(ask));
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), records: Mutex::default() });
        let clients = (0..clients).map(|client| {
            let front = client % fronts.len();
            let (of, namespace) = fronts[front];
            let (caller, namespace) = (Caller::new(of), namespace.cloned());
            let (shared, ask, mut chance) =
                (Arc::clone(&shared), Arc::clone(&ask), seed.rng(client));
            thread::spawn(move || {
                if let Some(namespace) = namespace {
                    namespace.enter();
                }
                while !shared.stop.load(Ordering::Relaxed) {
                    let ask = ask(&mut chance);
                    let start = began.elapsed();
                    let seen = caller.ask(&ask);
                    let end = began.elapsed();
                    shared.records().push(Record { start, end, front, ask, seen });
                    thread::sleep(Duration::from_micros(chance.u64(0..THINK_MICROS)));
                }
            })
        });
        let clients = clients.collect();
        Self { began, shared, clients, _seed: seed }
    }

    /// Now, on the clock of the records.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets it go on for so long.
    pub fn go_on(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Lets it go on until this holds of the records so far; fails if that takes longer than `within`.
    #[track_caller]
    pub fn until(&self, what: &str, within: Duration, mut holds: impl FnMut(&[Record]) -> bool) {
        eventually(what, within, || holds(&self.shared.records()));
    }

    /// Lets it go on until so many more questions, asked from now on, have been answered.
    #[track_caller]
    pub fn answer_more(&self, count: usize) {
        let from = self.now();
        self.until("more answers", Duration::from_secs(60), |records| {
            records.iter().rev().take_while(|record| record.end >= from).count() >= count
        });
    }

    /// Ends it: all that was seen. Fails if a client did.
    #[track_caller]
    pub fn finish(mut self) -> History {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            client.join().expect("a client that was answered");
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

/// One client and the connection that it keeps.
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

    /// The answer, which is a decision whatever happens to Redis; nothing if there is no front.
    fn ask(&self, ask: &Ask) -> Option<Seen> {
        let mut answer = self.agent.post(&self.url).send(ask.body()).ok()?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().ok()?;
        assert_eq!(status, 200, "{text}");
        let body: Value = serde_json::from_str(&text).expect("JSON");
        let number =
            |field: &str| body[field].as_u64().unwrap_or_else(|| panic!("{field}: {text}"));
        Some(Seen {
            allowed: body["allowed"].as_bool().expect("a decision"),
            degraded: body["degraded"].as_bool().unwrap_or(false),
            limit: number("limit"),
            remaining: number("remaining"),
        })
    }
}
