//! One worker's client for one server, and the task that keeps it connected.
//!
//! A session is replaced when it breaks, stops answering, leads to a replica or grows old. While
//! there is none a check fails at once: no caller waits for a connection.
//!
//! That makes it a circuit breaker. It opens when a session is given up, and closes when the one
//! task that reconnects has had a reply, from the engine itself and within the deadline of a check.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    select,
    sync::Notify,
    task::{JoinHandle, spawn_local},
    time::{sleep, timeout},
};

use super::{
    backoff::ReconnectGate,
    batch::{BatchQueue, BatchedDecision},
    commands::Command,
    connector::Endpoint,
    dispatch,
    engine::ScriptForm,
    error::{CallError, CommandError},
    resp::reply::Reply,
    session::Session,
    worker::Worker,
};
use crate::{BucketRequest, StoreError};

/// A supervised client for one server. It belongs to the thread that started it.
pub(super) struct NodeClient {
    node: Rc<Node>,
    tasks: [JoinHandle<()>; 2],
}

/// A node client's state, shared with its tasks.
pub(super) struct Node {
    endpoint: Endpoint,
    gate: Arc<ReconnectGate>,
    pub(super) worker: Rc<Worker>,
    state: RefCell<State>,
    /// Wakes the supervisor when the session is lost.
    lost: Notify,
    /// Wakes callers that wait for a session.
    opened: Notify,
    pub(super) queue: BatchQueue,
}

/// The state of a node client. [`Node::advance`] alone moves it.
#[derive(Default)]
enum State {
    /// No session; the reconnect gate says when the next attempt may start.
    #[default]
    Disconnected,
    /// No session, and an attempt to open one.
    Connecting,
    /// A session.
    Connected(Rc<Session>),
    /// A session, and an attempt to open the one that takes its place.
    Replacing(Rc<Session>),
}

/// An event that may move the state.
enum Event<'a> {
    /// An attempt to open a session has started.
    Started,
    /// The attempt succeeded.
    Opened(Session),
    /// The attempt failed.
    Failed,
    /// This session is unusable, for this reason.
    Lost(&'a Rc<Session>, &'a str),
}

/// How a command is sent to a cluster node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    /// To the node that serves the hash slot.
    Owner,
    /// To the node that the slot is moving to, after `ASKING`.
    Asking,
}

/// How often an idle session is probed.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The least life of a session after which the backoff starts anew. If it were shorter, a server
/// that accepts connections but no checks would be connected to in a tight loop.
const LASTING: Duration = Duration::from_secs(2);
/// Most requests in flight on one session, batches aside.
const MAX_IN_FLIGHT: usize = 4096;
const NO_MODULE: &str =
    "redis does not have RL.CHECK (or forbids it): load the module, or use --engine auto";
/// The server's error for a key that holds another value.
pub(super) const WRONG_TYPE: &str =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

// === impl NodeClient ===

impl NodeClient {
    /// Starts connecting, on this thread's runtime.
    pub(super) fn start(endpoint: Endpoint, worker: Rc<Worker>) -> Self {
        let node = Rc::new(Node {
            gate: worker.connector.gate(&endpoint),
            endpoint,
            worker,
            state: RefCell::default(),
            lost: Notify::new(),
            opened: Notify::new(),
            queue: BatchQueue::default(),
        });
        let tasks =
            [spawn_local(supervise(node.clone())), spawn_local(dispatch::run(node.clone()))];
        Self { node, tasks }
    }

    /// Whether there is a session.
    pub(super) fn is_up(&self) -> bool {
        self.node.session().is_some()
    }

    /// Makes one check, in a batch with others that arrive meanwhile.
    pub(super) async fn check(&self, request: &BucketRequest<'_>) -> BatchedDecision {
        if !self.is_up() {
            return Err(StoreError::Down.into());
        }
        self.node.queue.check(request).await
    }

    /// Sends a command and reads its reply, within the deadline.
    pub(super) async fn call<C: Command>(&self, command: &C) -> Result<C::Output, CallError> {
        self.call_since(Instant::now(), Routing::Owner, command).await
    }

    /// Sends a command whose deadline started at `started`, on another node.
    pub(super) async fn call_since<C: Command>(
        &self,
        started: Instant,
        routing: Routing,
        command: &C,
    ) -> Result<C::Output, CallError> {
        let session = self.node.session().ok_or(StoreError::Down)?;
        if session.connection.in_flight() >= MAX_IN_FLIGHT {
            return Err(StoreError::Shed.into());
        }
        let reply = async {
            match routing {
                Routing::Owner => session.send(command).await,
                Routing::Asking => session.send_asking(command).await,
            }
        };
        self.node.await_reply(&session, started, reply, |reply| command.decode(reply)).await
    }

    /// Waits for a session, at most this long. Returns whether there is one.
    pub(super) async fn wait_until_up(&self, within: Duration) -> bool {
        let opened = self.node.opened.notified();
        self.is_up() || timeout(within, opened).await.is_ok()
    }

    /// Sends a command of these arguments, outside any deadline.
    pub(super) async fn command(&self, args: &[&str]) -> Result<Reply, CommandError> {
        let Some(session) = self.node.session() else {
            return Err(CommandError::Broken("not connected".to_owned()));
        };
        session.connection.command(args.iter().copied()).await
    }
}

impl Drop for NodeClient {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(session) = self.node.session() {
            self.node.advance(Event::Lost(&session, "no longer needed"));
        }
    }
}

/// Connects, watches the session, and connects again, until the client is dropped.
async fn supervise(node: Rc<Node>) {
    let health = &node.worker.connector.health;
    loop {
        let permit = node.gate.acquire().await;
        node.gate.wait().await;
        let started = Instant::now();
        match node.open().await {
            Ok(()) => {
                drop(permit);
                node.watch().await;
                if started.elapsed() >= LASTING {
                    node.gate.reset();
                }
                node.gate.record_failure(Instant::now());
            }
            Err(error) => {
                match error {
                    CommandError::NoCommand => health.misconfigured(NO_MODULE),
                    error => health.retrying(&error.reason()),
                }
                node.gate.record_failure(started);
            }
        }
    }
}

// === impl Node ===

impl Node {
    /// The session in use.
    pub(super) fn session(&self) -> Option<Rc<Session>> {
        match &*self.state.borrow() {
            State::Connected(session) | State::Replacing(session) => Some(session.clone()),
            State::Disconnected | State::Connecting => None,
        }
    }

    /// Moves the state, and reports the node as up or down where that changes.
    fn advance(&self, event: Event<'_>) {
        let mut state = self.state.borrow_mut();
        *state = match (std::mem::take(&mut *state), event) {
            (State::Disconnected, Event::Started) => State::Connecting,
            (State::Connected(session), Event::Started) => State::Replacing(session),
            (State::Connecting, Event::Opened(session)) => {
                self.worker.node_up(session.engine.kind());
                self.opened.notify_waiters();
                State::Connected(Rc::new(session))
            }
            // Callers that wait for a reply keep the old session until it has come.
            (State::Replacing(_), Event::Opened(session)) => {
                self.worker.connector.health.engine_changed(session.engine.kind());
                State::Connected(Rc::new(session))
            }
            (State::Connecting, Event::Failed) => State::Disconnected,
            (State::Replacing(session), Event::Failed) => State::Connected(session),
            (State::Connected(session), Event::Lost(lost, reason))
                if Rc::ptr_eq(&session, lost) =>
            {
                self.lost(&session, reason);
                State::Disconnected
            }
            (State::Replacing(session), Event::Lost(lost, reason))
                if Rc::ptr_eq(&session, lost) =>
            {
                self.lost(&session, reason);
                State::Connecting
            }
            // The loss of a session that another has replaced is no news.
            (state, Event::Lost(..)) => state,
            (state, Event::Started | Event::Opened(_) | Event::Failed) => {
                debug_assert!(false, "one attempt at a time");
                state
            }
        };
    }

    fn lost(&self, session: &Session, reason: &str) {
        self.worker.node_down(&session.host, reason);
        self.lost.notify_one();
    }

    /// Opens a session, the first or the next.
    async fn open(&self) -> Result<(), CommandError> {
        self.advance(Event::Started);
        match Session::open(&self.endpoint, &self.worker.connector).await {
            Ok(session) => {
                self.advance(Event::Opened(session));
                Ok(())
            }
            Err(error) => {
                self.advance(Event::Failed);
                Err(error)
            }
        }
    }

    /// Returns once the session is lost. An idle one is probed, so that a server that has gone is
    /// noticed before a caller has to.
    async fn watch(&self) {
        while let Some(session) = self.session() {
            select! {
                () = self.lost.notified() => continue,
                error = session.connection.ended() => {
                    self.advance(Event::Lost(&session, &error.reason()));
                    continue;
                }
                () = sleep(HEARTBEAT) => {}
            }
            let probe = session.connection.send(&session.engine.probe(ScriptForm::Hash));
            let _ = self.await_reply(&session, Instant::now(), probe, Reply::decision).await;
            let connector = &self.worker.connector;
            if let Ok(true) = session.is_outdated(&self.endpoint, connector).await
                && let Ok(_permit) = timeout(HEARTBEAT, self.gate.acquire()).await
                && self.session().is_some()
            {
                let _ = self.open().await; // the session in use stays if this fails
            }
        }
    }

    /// Waits for a reply within the deadline that started at `started`, reads it, and decides what a
    /// failure means for the session.
    pub(super) async fn await_reply<T>(
        &self,
        session: &Rc<Session>,
        started: Instant,
        reply: impl Future<Output = Result<Reply, CommandError>>,
        decode: impl FnOnce(Reply) -> Result<T, CommandError>,
    ) -> Result<T, CallError> {
        let connector = &self.worker.connector;
        let health = &connector.health;
        let time_left = connector.deadline.saturating_sub(started.elapsed());
        let Ok(reply) = timeout(time_left, reply).await else {
            if session.stall.on_timeout(started, Instant::now()) {
                self.advance(Event::Lost(session, "no reply in time"));
            } else {
                health.failed("no reply in time");
            }
            return Err(StoreError::Late.into());
        };
        session.stall.on_reply();
        match reply.and_then(decode) {
            Ok(answer) => return Ok(answer),
            Err(CommandError::Redirected(redirect)) if connector.is_cluster() => {
                return Err(CallError::Redirected(redirect));
            }
            Err(CommandError::Redirected(_)) => {
                health.failed("the server is a cluster node: use redis+cluster:// in --store");
            }
            Err(CommandError::NoCommand) => {
                self.advance(Event::Lost(session, "RL.* commands are gone"));
            }
            Err(CommandError::Broken(reason)) => self.advance(Event::Lost(session, &reason)),
            Err(CommandError::Refused(reason)) => {
                health.failed(&reason);
                if reason == WRONG_TYPE {
                    return Err(CallError::NotABucket);
                }
            }
            Err(CommandError::NoScript) => health.failed("NOSCRIPT after reload"),
        }
        Err(StoreError::Failed.into())
    }
}
