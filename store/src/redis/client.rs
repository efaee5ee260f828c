//! One worker's client for one server.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    pin, select,
    sync::{Semaphore, SemaphorePermit},
    task::{JoinHandle, spawn_local},
    time::{sleep_until, timeout},
};

use super::{
    batch::BatchedDecision,
    commands::Command,
    connector::Endpoint,
    dispatch,
    error::{CallError, CommandError},
    node::{Node, supervise},
    pieces::{MAX_PIECES, PIECE, SPACING},
    resp::reply::Reply,
    worker::Worker,
};
use crate::{BucketRequest, StoreError};

/// A client for one server, with the tasks that keep it connected and send its batches. It belongs
/// to the thread that started it.
pub(super) struct NodeClient {
    node: Rc<Node>,
    tasks: [JoinHandle<()>; 2],
    /// A permit for each bucket that pieces of large requests may have in flight.
    turns: Semaphore,
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
            turns: Semaphore::new(MAX_PIECES * PIECE),
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

    /// Waits until a piece of a large request, of so many buckets, may be sent: as soon as few
    /// enough are in flight, or a moment after the last, so that a slow network does not hold the
    /// next one back. What waits until the deadline that started at `started` is not sent.
    pub(super) async fn turn(
        &self,
        started: Instant,
        buckets: usize,
    ) -> Result<Option<SemaphorePermit<'_>>, StoreError> {
        let due = started + self.node.worker.connector.deadline;
        let permits = u32::try_from(buckets.min(MAX_PIECES * PIECE)).unwrap_or(u32::MAX);
        let permit = self.turns.acquire_many(permits);
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
