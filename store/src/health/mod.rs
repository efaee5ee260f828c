//! The health of a store: the workers that can reach it, the engine, and the last failure.

mod refusals;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use log::{error, info, warn};

use self::refusals::Refusals;
use crate::{LogThrottle, redis::Server};

/// The health of one store, shared by all workers.
///
/// Node clients report here when they come up, go down or fail; status pages and metrics read it.
/// Reasons are logged, so they must hold nothing that a caller has sent.
#[derive(Debug)]
pub struct StoreHealth {
    workers: Mutex<Workers>,
    engine: AtomicU8,
    misconfigured: AtomicBool,
    closing: AtomicBool,
    refusals: Refusals,
    failures: LogThrottle,
    retries: LogThrottle,
    /// The last reason that was logged.
    reason: Mutex<Option<Box<str>>>,
}

/// The workers of the store. This is the one place where "up" is counted.
#[derive(Debug)]
struct Workers {
    workers: Vec<WorkerHealth>,
    started: usize,
}

/// One worker. It is up while at least one of its nodes can be sent requests.
#[derive(Clone, Debug)]
struct WorkerHealth {
    /// The nodes that it needs to reach every key: one, or those of a cluster.
    nodes: usize,
    nodes_up: usize,
    /// Whether all of its nodes have been up at once.
    has_been_whole: bool,
}

/// The program that computes the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EngineKind {
    /// Redis has not answered yet.
    Unknown,
    /// The in-process store.
    Memory,
    /// The Redis module.
    Module,
    /// The Lua scripts.
    Lua,
}

// === impl StoreHealth ===

impl StoreHealth {
    /// The health of an in-process store, which is always up.
    pub fn memory() -> Self {
        Self::new(0, EngineKind::Memory)
    }

    /// The health of a Redis store that this many workers will start.
    pub fn redis(workers: usize) -> Self {
        Self::new(workers, EngineKind::Unknown)
    }

    fn new(workers: usize, engine: EngineKind) -> Self {
        Self {
            workers: Mutex::new(Workers {
                workers: vec![WorkerHealth::STARTING; workers],
                started: 0,
            }),
            engine: AtomicU8::new(engine as u8),
            misconfigured: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            refusals: Refusals::default(),
            failures: LogThrottle::new(Duration::from_secs(1)),
            retries: LogThrottle::new(Duration::from_secs(10)),
            reason: Mutex::new(None),
        }
    }

    /// The engine of the connection that opened last.
    pub fn engine(&self) -> EngineKind {
        match self.engine.load(Ordering::Relaxed) {
            1 => EngineKind::Memory,
            2 => EngineKind::Module,
            3 => EngineKind::Lua,
            _ => EngineKind::Unknown,
        }
    }

    /// Whether the store can be sent requests.
    pub fn is_up(&self) -> bool {
        let workers = self.workers();
        workers.workers.is_empty() || workers.up() > 0
    }

    /// Workers that can reach the store; an in-process store has none.
    pub fn workers_up(&self) -> usize {
        self.workers().up()
    }

    /// Workers that cannot.
    pub fn workers_down(&self) -> usize {
        let workers = self.workers();
        workers.workers.len() - workers.up()
    }

    /// The reason why a server that can be reached refuses what it is sent.
    pub fn refusal(&self) -> Option<Box<str>> {
        self.refusals.any()
    }

    /// Whether every worker has been able to reach every key at least once.
    pub fn all_have_been_whole(&self) -> bool {
        self.workers().workers.iter().all(|it| it.has_been_whole)
    }

    /// Whether the settings ask for an engine that the server does not have.
    pub fn is_misconfigured(&self) -> bool {
        self.misconfigured.load(Ordering::Relaxed)
    }

    /// The reason of the last failure that was logged; suppressed lines do not count.
    pub fn reason(&self) -> Option<Box<str>> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that the process is shutting down: lost connections are no longer logged.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Registers a worker and returns its index.
    pub(crate) fn add_worker(&self) -> usize {
        let mut workers = self.workers();
        let index = workers.started;
        workers.started += 1;
        if index == workers.workers.len() {
            workers.workers.push(WorkerHealth::STARTING);
        }
        index
    }

    /// Records that this worker needs so many nodes to reach every key; at first, it is one.
    pub(crate) fn nodes_needed(&self, worker: usize, nodes: usize) {
        let mut workers = self.workers();
        let state = &mut workers.workers[worker];
        state.nodes = nodes;
        state.note_whole();
    }

    /// Records that a node of this worker can be sent requests.
    pub(crate) fn node_up(&self, worker: usize, engine: EngineKind) {
        let workers_up = {
            let mut workers = self.workers();
            let state = &mut workers.workers[worker];
            state.nodes_up += 1;
            state.note_whole();
            if state.nodes_up > 1 {
                return;
            }
            workers.up()
        };
        self.misconfigured.store(false, Ordering::Relaxed);
        if workers_up == 1 {
            self.engine.store(engine as u8, Ordering::Relaxed);
            info!("redis is up; engine: {}", engine.name());
        } else {
            self.engine_changed(engine);
        }
    }

    /// Records that a node of this worker that was up is lost.
    pub(crate) fn node_down(&self, worker: usize, server: &Server, reason: &str) {
        let (nodes_up, workers_up) = {
            let mut workers = self.workers();
            let state = &mut workers.workers[worker];
            state.nodes_up = state.nodes_up.saturating_sub(1);
            (state.nodes_up, workers.up())
        };
        self.forget(server);
        if self.closing.load(Ordering::Relaxed) {
            // Nothing to report: connections are closed on purpose.
        } else if nodes_up > 0 {
            self.note_failure(&format!("redis node {server} lost ({reason}), others are up"));
        } else if workers_up == 0 {
            self.note(reason);
            warn!(
                "redis connection lost ({reason}): using each policy's on_error until it is back"
            );
        } else {
            self.note_failure(&format!("one redis connection lost ({reason}), others are up"));
        }
    }

    /// Records the engine of a connection that took another's place.
    pub(crate) fn engine_changed(&self, engine: EngineKind) {
        let before = self.engine.swap(engine as u8, Ordering::Relaxed);
        if before != engine as u8 {
            info!("engine changed to {}", engine.name());
        }
    }

    /// Records a request that failed over a connection that stays.
    pub(crate) fn failed(&self, reason: &str) {
        if let Some(skipped) = self.failures.pass(Instant::now()) {
            self.note(reason);
            warn!("redis request failed: {reason}{skipped}");
        }
    }

    /// Records that this server refuses what it is sent, for a reason that is not in the request.
    pub(crate) fn refused(&self, server: &Server, reason: &str) {
        if let Some(skipped) = self.refusals.add(server, reason) {
            self.note(reason);
            warn!(
                "redis at {server} refuses requests ({reason}): using each policy's on_error until \
                 it accepts them{skipped}"
            );
        }
    }

    /// Records that this server has stored something.
    pub(crate) fn accepted(&self, server: &Server) {
        if self.refusals.end(server) {
            info!("redis at {server} accepts requests again");
        }
    }

    /// Whether this server refuses what it is sent.
    pub(crate) fn refuses(&self, server: &Server) -> bool {
        self.refusals.has(server)
    }

    /// Records that nothing is known of this server any more.
    pub(crate) fn forget(&self, server: &Server) {
        self.refusals.forget(server);
    }

    fn note_failure(&self, line: &str) {
        if let Some(skipped) = self.failures.pass(Instant::now()) {
            self.note(line);
            warn!("{line}{skipped}");
        }
    }

    /// Records a failed attempt to connect; another will follow.
    pub(crate) fn retrying(&self, reason: &str) {
        if let Some(skipped) = self.retries.pass(Instant::now()) {
            self.note(reason);
            warn!("cannot connect to redis, retrying: {reason}{skipped}");
        }
    }

    /// Records that the server lacks the one engine that the settings ask for.
    pub(crate) fn misconfigured(&self, reason: &str) {
        self.misconfigured.store(true, Ordering::Relaxed);
        if self.retries.pass(Instant::now()).is_some() {
            self.note(reason);
            error!("{reason}");
        }
    }

    fn note(&self, reason: &str) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Workers ===

impl Workers {
    fn up(&self) -> usize {
        self.workers.iter().filter(|it| it.nodes_up > 0).count()
    }
}

// === impl WorkerHealth ===

impl WorkerHealth {
    const STARTING: Self = Self { nodes: 1, nodes_up: 0, has_been_whole: false };

    fn note_whole(&mut self) {
        self.has_been_whole |= self.nodes_up >= self.nodes;
    }
}

// === impl EngineKind ===

impl EngineKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Memory, Self::Module, Self::Lua];

    /// The name in the log, in metrics and in `/health/ready`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Memory => "memory",
            Self::Module => "module",
            Self::Lua => "lua",
        }
    }
}

#[cfg(test)]
mod tests;
