//! One worker's client for one server.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    pin, select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, spawn_local},
    time::{sleep_until, timeout},
};

use super::{
    batch::BatchedDecision,
    commands::Command,
    connector::Endpoint,
    dispatch,
    engine::ScriptForm,
    error::{CallError, CommandError},
    node::{Node, supervise},
    pieces::{MAX_PIECES, PIECE, SPACING, weight},
    resp::reply::Reply,
    worker::Worker,
};
use crate::{BucketRequest, StoreError};

/// A client for one server, with the tasks that keep it connected and send its batches. It belongs
/// to the thread that started it.
pub(super) struct NodeClient {
    node: Rc<Node>,
    tasks: [JoinHandle<()>; 2],
    /// A permit for each unit of weight that pieces of large requests may have in flight.
    turns: Arc<Semaphore>,
    /// When the last piece of a large request was sent.
    last_turn: Cell<Instant>,
}

/// The node of a cluster that a command is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    /// The node that serves the hash slot.
    Owner,
    /// The node that the slot is moving to, after `ASKING`.
    Asking,
}

/// Most requests in flight on one session, batches aside.
const MAX_IN_FLIGHT: usize = 4096;

// === impl NodeClient ===

impl NodeClient {
    /// Starts connecting, on this thread's runtime.
    pub(super) fn start(endpoint: Endpoint, worker: Rc<Worker>) -> Self {
        let node = Rc::new(Node::new(endpoint, worker));
        let tasks =
            [spawn_local(supervise(node.clone())), spawn_local(dispatch::run(node.clone()))];
        Self {
            node,
            tasks,
            turns: Arc::new(Semaphore::new(MAX_PIECES * PIECE)),
            last_turn: Cell::new(Instant::now()),
        }
    }

    /// Whether there is a session.
    pub(super) fn is_up(&self) -> bool {
        self.node.session().is_some()
    }

    /// Makes one check whose deadline started at `started`, in a batch with others that arrive
    /// meanwhile.
    pub(super) async fn check(
        &self,
        started: Instant,
        request: &BucketRequest<'_>,
    ) -> BatchedDecision {
        if !self.is_up() {
            return Err(StoreError::Down.into());
        }
        self.node.queue.check(started, request).await
    }

    /// The weight of a bucket in a piece of a large request.
    pub(super) fn weight(&self) -> usize {
        self.node.session().map_or(1, |session| weight(session.engine.kind()))
    }

    /// Waits until a piece of a large request, of this weight, may be sent: as soon as few
    /// enough are in flight, or a moment after the last, so that a slow network does not hold the
    /// next one back. What waits until the deadline that started at `started` is not sent.
    pub(super) async fn turn(
        &self,
        started: Instant,
        weight: usize,
    ) -> Result<Option<OwnedSemaphorePermit>, StoreError> {
        let due = started + self.node.worker.connector.deadline;
        let permits = u32::try_from(weight.min(MAX_PIECES * PIECE)).unwrap_or(u32::MAX);
        let permit = self.turns.clone().acquire_many_owned(permits);
        pin!(permit);
        let turn = loop {
            let spaced = self.last_turn.get() + SPACING;
            select! {
                biased;
                permit = &mut permit => break permit.ok(),
                () = sleep_until(spaced.min(due).into()) => {}
            }
            let now = Instant::now();
            if now >= due {
                return Err(StoreError::Shed);
            }
            if now >= self.last_turn.get() + SPACING {
                break None;
            }
        };
        let now = Instant::now();
        self.last_turn.set(now);
        if now >= due { Err(StoreError::Shed) } else { Ok(turn) }
    }

    /// Sends a command whose deadline started at `started`, and reads its reply.
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

    /// Sends a piece of a large request, whose deadline started at `started`, and reads its replies.
    /// Its turn is over once the server has replied, also if nobody waits for that any more.
    pub(super) async fn call_each<C: Command>(
        &self,
        started: Instant,
        commands: &[C],
        turn: Option<OwnedSemaphorePermit>,
    ) -> Vec<Result<C::Output, CallError>> {
        let fail = |error: StoreError| commands.iter().map(|_| Err(error.into())).collect();
        let Some(session) = self.node.session() else { return fail(StoreError::Down) };
        let (engine, connection) = (&session.engine, &session.connection);
        if connection.in_flight() + commands.len() > MAX_IN_FLIGHT {
            return fail(StoreError::Shed);
        }
        let mut encoded = commands.iter().map(|command| engine.encode(command, ScriptForm::Hash));
        let Some(mut buf) = encoded.next() else { return Vec::new() };
        encoded.for_each(|next| buf.append(&next));
        let replies = connection.send_all(&buf, commands.len());
        drop(buf);
        if let Some(turn) = turn {
            connection.hold(turn);
        }
        let mut results = Vec::with_capacity(commands.len());
        for (command, reply) in commands.iter().zip(replies) {
            let reply = async {
                match reply.await {
                    Err(CommandError::NoScript) => {
                        connection.send(&engine.encode(command, ScriptForm::Full)).await
                    }
                    reply => reply,
                }
            };
            let decode = |reply| command.decode(reply);
            results.push(self.node.await_reply(&session, started, reply, decode).await);
        }
        results
    }

    /// Waits for a session, at most this long. Returns whether there is one.
    pub(super) async fn wait_until_up(&self, within: Duration) -> bool {
        let opened = self.node.opened.notified();
        self.is_up() || timeout(within, opened).await.is_ok()
    }

    /// Reads the slot map of a node of a cluster, outside any deadline.
    pub(super) async fn slot_map(&self) -> Result<Reply, CommandError> {
        let Some(session) = self.node.session() else {
            return Err(CommandError::Broken("not connected".to_owned()));
        };
        session.connection.slot_map().await
    }
}

impl Drop for NodeClient {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.node.close();
    }
}
