//! The connection to one server, and the task that keeps it open.
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
    time::{sleep, timeout},
};

pub(super) use super::error::WRONG_TYPE;
use super::{
    batch::BatchQueue,
    commands::Answer,
    connector::Endpoint,
    engine::WritePath,
    error::{CallError, CommandError},
    reconnect_gate::ReconnectGate,
    resp::reply::Reply,
    session::Session,
    worker::Worker,
};
use crate::StoreError;

/// The connection to one server, as a worker's tasks and callers share it.
pub(super) struct Node {
    endpoint: Endpoint,
    gate: Arc<ReconnectGate>,
    pub(super) worker: Rc<Worker>,
    state: RefCell<State>,
    /// Wakes the supervisor when the session is lost.
    lost: Notify,
    /// Wakes callers that wait for a session.
    pub(super) opened: Notify,
    pub(super) queue: BatchQueue,
}

/// The state of the connection. [`Node::advance`] alone moves it.
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
    Opened(Rc<Session>),
    /// The attempt failed.
    Failed,
    /// This session is unusable, for this reason.
    Lost(&'a Rc<Session>, &'a str),
}

/// The time between probes of an idle session.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The least life of a session after which the backoff starts anew. If it were shorter, a server
/// that accepts connections but no checks would be connected to in a tight loop.
const LASTING: Duration = Duration::from_secs(2);

/// Connects, watches the session, and connects again, until the client is dropped.
pub(super) async fn supervise(node: Rc<Node>) {
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
                    CommandError::NoCommand(command) if command.starts_with("RL.") => {
                        health.misconfigured(&format!(
                            "redis lacks {command}: load the module, or use --engine auto"
                        ));
                    }
                    CommandError::NoPermission(command) if command.starts_with("RL.") => {
                        health.misconfigured(&format!(
                            "NOPERM {command} may not be run by this user: permit it, or use \
                             --engine auto"
                        ));
                    }
                    error => health.retrying(&error.reason()),
                }
                node.gate.record_failure(started);
            }
        }
    }
}

// === impl Node ===

impl Node {
    pub(super) fn new(endpoint: Endpoint, worker: Rc<Worker>) -> Self {
        Self {
            gate: worker.connector.gate(&endpoint),
            endpoint,
            worker,
            state: RefCell::default(),
            lost: Notify::new(),
            opened: Notify::new(),
            queue: BatchQueue::default(),
        }
    }

    /// Gives the session up, since the client is dropped.
    pub(super) fn close(&self) {
        if let Some(session) = self.session() {
            self.advance(Event::Lost(&session, "no longer needed"));
        }
    }

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
                self.on_proof(&session, &session.write_path);
                self.opened.notify_waiters();
                State::Connected(session)
            }
            // Callers that wait for a reply keep the old session until it has come.
            (State::Replacing(old), Event::Opened(session)) => {
                let health = &self.worker.connector.health;
                health.engine_changed(session.engine.kind());
                if old.server != session.server {
                    health.forget(&old.server);
                }
                self.on_proof(&session, &session.write_path);
                State::Connected(session)
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
        self.worker.node_down(&session.server, reason);
        self.lost.notify_one();
    }

    /// Opens a session, the first or the next.
    async fn open(&self) -> Result<(), CommandError> {
        self.advance(Event::Started);
        match Session::open(&self.endpoint, &self.worker.connector).await {
            Ok(session) => {
                self.advance(Event::Opened(Rc::new(session)));
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
            self.beat(&session).await;
            let connector = &self.worker.connector;
            if let Ok(true) = session.is_outdated(&self.endpoint, connector).await
                && let Ok(_permit) = timeout(HEARTBEAT, self.gate.acquire()).await
                && self.session().is_some()
            {
                let _ = self.open().await; // the session in use stays if this fails
            }
        }
    }

    /// Sends a heartbeat: a check of no caller's bucket if the server has refused something, so that
    /// it is seen to accept again, or else a `PING`.
    async fn beat(&self, session: &Rc<Session>) {
        let (health, now) = (&self.worker.connector.health, Instant::now());
        if !session.is_doubtful.take() && !health.refuses(&session.server) {
            let _ = self.await_reply(session, now, session.heartbeat(), |_| Ok(())).await;
            return;
        }
        let proof = session.engine.prove(&session.connection);
        match timeout(self.worker.connector.deadline, proof).await {
            Ok(Ok(proof)) => {
                session.stall.on_reply(session.connection.replies());
                self.on_proof(session, &proof);
            }
            Ok(Err(error)) => drop(self.on_reply::<()>(session, Err(error))),
            Err(_) => self.on_timeout(session, now),
        }
    }

    /// Records whether the server carries out checks.
    fn on_proof(&self, session: &Session, proof: &WritePath) {
        let health = &self.worker.connector.health;
        match proof {
            WritePath::Accepted => health.accepted(&session.server),
            WritePath::Refused(reason) => health.refused(&session.server, reason),
            WritePath::Unknown => {}
        }
    }

    /// Waits for a reply within the deadline that started at `started`, and reads it.
    pub(super) async fn await_reply<T: Answer>(
        &self,
        session: &Rc<Session>,
        started: Instant,
        reply: impl Future<Output = Result<Reply, CommandError>>,
        decode: impl FnOnce(Reply) -> Result<T, CommandError>,
    ) -> Result<T, CallError> {
        let time_left = self.worker.connector.deadline.saturating_sub(started.elapsed());
        match timeout(time_left, reply).await {
            Ok(reply) => self.on_reply(session, reply.and_then(decode)),
            Err(_) => {
                self.on_timeout(session, started);
                Err(StoreError::Late.into())
            }
        }
    }

    /// Records that a request sent at `sent_at` had no reply in time, and decides what that means
    /// for the session.
    pub(super) fn on_timeout(&self, session: &Rc<Session>, sent_at: Instant) {
        let replies = session.connection.replies();
        match session.stall.on_timeout(sent_at, Instant::now(), replies) {
            Some(stall) => self.advance(Event::Lost(session, stall.reason())),
            None => self.worker.connector.health.failed("no reply in time"),
        }
    }

    /// Records a reply in time, and decides what a failure means for the session.
    pub(super) fn on_reply<T: Answer>(
        &self,
        session: &Rc<Session>,
        reply: Result<T, CommandError>,
    ) -> Result<T, CallError> {
        let connector = &self.worker.connector;
        let health = &connector.health;
        session.stall.on_reply(session.connection.replies());
        match reply {
            Ok(answer) => {
                if answer.shows_a_write() {
                    health.accepted(&session.server);
                }
                return Ok(answer);
            }
            Err(CommandError::Redirected(redirect)) if connector.is_cluster() => {
                return Err(CallError::Redirected(redirect));
            }
            Err(CommandError::Redirected(_)) => {
                health.failed("the server is a cluster node: use redis+cluster:// in --store");
            }
            Err(error @ (CommandError::NoCommand(_) | CommandError::NoPermission(_))) => {
                self.on_missing(session, error);
            }
            Err(CommandError::Broken(reason)) => self.advance(Event::Lost(session, &reason)),
            Err(CommandError::Refused(reason)) if reason == WRONG_TYPE => {
                health.failed(&reason);
                return Err(CallError::NotABucket);
            }
            Err(CommandError::Refused(reason)) if CommandError::is_about_key(&reason) => {
                health.failed(&reason);
                session.is_doubtful.set(true);
            }
            Err(CommandError::Refused(reason)) => health.refused(&session.server, &reason),
            Err(CommandError::NoScript) => {
                health.failed("NOSCRIPT in reply to a script sent in full");
            }
        }
        Err(StoreError::Failed.into())
    }

    /// Records that the server or the user lacks a command. One that opening a session needs is
    /// reason to open another, by another engine or with the true cause; any other is refused alone.
    fn on_missing(&self, session: &Rc<Session>, error: CommandError) {
        let (CommandError::NoCommand(command) | CommandError::NoPermission(command)) = &error
        else {
            return;
        };
        let is_needed = session.engine.needs(command);
        let reason = error.reason();
        if is_needed {
            self.advance(Event::Lost(session, &reason));
        } else {
            self.worker.connector.health.failed(&reason);
            session.is_doubtful.set(true);
        }
    }
}
