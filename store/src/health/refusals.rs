//! The servers that can be reached and refuse what they are sent.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{LogThrottle, Skipped, redis::Server};

/// The servers that refuse, each with its last reason.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The number of servers that refuse: nearly always 0, and then no lock is taken.
    count: AtomicUsize,
    servers: Mutex<HashMap<Server, RefusingServer>>,
}

/// One server that refuses or has refused.
#[derive(Debug)]
struct RefusingServer {
    /// `None` once the server accepts requests again.
    reason: Option<Box<str>>,
    /// Whether its line was logged.
    is_logged: bool,
    lines: LogThrottle,
}

/// The least time between two lines about one server, which may refuse some requests and accept
/// others.
const INTERVAL: Duration = Duration::from_secs(10);

// === impl Refusals ===

impl Refusals {
    /// Adds a server. Returns whether to log it, and the number of lines held back.
    pub(super) fn add(&self, server: &Server, reason: &str) -> Option<Skipped> {
        let mut servers = self.servers();
        if !servers.contains_key(server) {
            let lines = LogThrottle::new(INTERVAL);
            servers
                .insert(server.clone(), RefusingServer { reason: None, is_logged: false, lines });
        }
        let refusal = servers.get_mut(server)?;
        let is_new = refusal.reason.is_none();
        if refusal.reason.as_deref() != Some(reason) {
            refusal.reason = Some(reason.into());
        }
        if !is_new {
            return None;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let line = refusal.lines.pass(Instant::now());
        refusal.is_logged = line.is_some();
        line
    }

    /// Records that a server accepts requests. Returns whether to log that.
    pub(super) fn end(&self, server: &Server) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut servers = self.servers();
        let Some(refusal) = servers.get_mut(server) else { return false };
        if refusal.reason.take().is_none() {
            return false;
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        refusal.is_logged
    }

    /// Removes a server.
    pub(super) fn forget(&self, server: &Server) {
        if self.servers().remove(server).is_some_and(|refusal| refusal.reason.is_some()) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether this server refuses.
    pub(super) fn has(&self, server: &Server) -> bool {
        !self.is_empty() && self.servers().get(server).is_some_and(|it| it.reason.is_some())
    }

    /// The reason of a server that refuses.
    pub(super) fn any(&self) -> Option<Box<str>> {
        if self.is_empty() {
            return None;
        }
        self.servers().values().find_map(|refusal| refusal.reason.clone())
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<Server, RefusingServer>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
