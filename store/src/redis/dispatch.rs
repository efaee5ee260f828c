//! Sends the checks that are queued for a node, in batches.
//!
//! A batch leaves at once if nothing is in flight, or if the newest in flight left a moment ago. On a
//! fast network one batch is in flight, and all checks that arrive meanwhile share the next; on a
//! slow one batches follow each other without waiting for replies.

use std::{
    ops::Range,
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rl_bucket::Decision;
use tokio::{
    pin, select,
    time::{Sleep, sleep_until},
};

use super::{
    batch::{Batch, BatchQueue, BatchedChecks, BatchedDecision},
    commands::{Arguments, Command, CommandSpec, MCheck, check},
    engine::ScriptForm,
    error::{CallError, CommandError},
    node::{Node, WRONG_TYPE},
    resp::{connection::PendingReply, reply::Reply},
    session::Session,
};
use crate::{BucketRequest, NotABucket, StoreError};

/// The longest time between two batches while the first is in flight. It is above a round trip over
/// a fast network, where several batches in flight would be small and gain nothing.
const MAX_SPACING: Duration = Duration::from_millis(1);
/// The batches that leave in a round trip over a slower network, if the spacing allows. More would
/// be smaller, fewer would wait longer.
const PER_ROUND_TRIP: u32 = 16;
/// Most batches in flight: as many as leave in four seconds, which is longer than deadlines are.
const MAX_IN_FLIGHT: usize = 4096;

/// Sends batches as they form, until the client is dropped.
pub(super) async fn run(node: Rc<Node>) {
    let mut in_flight = FuturesUnordered::new();
    let mut left_at = Instant::now();
    let mut spacing = MAX_SPACING;
    loop {
        let is_idle = in_flight.is_empty();
        let next = async {
            node.queue.arrived().await;
            if !is_idle {
                node.queue.wait_until(left_at + spacing).await;
            }
            node.queue.take()
        };
        select! {
            biased;
            Some(round_trip) = in_flight.next() => {
                if let Some(round_trip) = round_trip {
                    spacing = spacing_over(round_trip);
                }
            }
            Some(batch) = next, if in_flight.len() < MAX_IN_FLIGHT => {
                left_at = Instant::now();
                in_flight.push(node.check_batch(batch, left_at));
            }
        }
    }
}

/// The time between two batches over a network with this round trip.
fn spacing_over(round_trip: Duration) -> Duration {
    if round_trip < MAX_SPACING {
        MAX_SPACING
    } else {
        (round_trip / PER_ROUND_TRIP).min(MAX_SPACING)
    }
}

/// Checks in one command: `RL.CHECK` for one, `RL.MCHECK` for more.
struct Checks<'a>(&'a [BucketRequest<'a>]);

// === impl Checks ===

impl Command for Checks<'_> {
    type Output = Vec<BatchedDecision>;

    fn spec(&self) -> &'static CommandSpec {
        match self.0 {
            [one] => check(one).spec(),
            many => MCheck(many).spec(),
        }
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(self.0)
    }

    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        let outcome = |decision: Result<Decision, NotABucket>| {
            decision.map_err(|NotABucket| CallError::NotABucket)
        };
        match self.0 {
            [one] => Ok(vec![Ok(check(one).decode(reply)?)]),
            many => Ok(MCheck(many).decode(reply)?.into_iter().map(outcome).collect()),
        }
    }
}

// === impl Node ===

impl Node {
    /// Makes the checks of a batch that leaves at `now`, each within its own deadline. Returns the
    /// time that its last reply took; `None` if no caller waits for that any more.
    async fn check_batch(&self, batch: Batch, now: Instant) -> Option<Duration> {
        let connector = &self.worker.connector;
        let Batch { keys, mut checks } = batch;
        let _waiting = Waiting { queue: &self.queue, checks: checks.len() };
        let due = checks.prune(now, connector.deadline)?;
        let whole = 0..checks.len();
        let Some(session) = self.session() else {
            checks.fail(whole, &StoreError::Down.into());
            return None;
        };
        // A cluster node takes no command that spans several hash slots.
        let groups = if connector.is_cluster() && checks.len() > 1 {
            checks.group_by_slot(&keys)
        } else {
            vec![whole]
        };
        let requests = checks.requests(&keys);
        let encode = |group: &Range<usize>, form| {
            session.engine.encode(&Checks(&requests[group.clone()]), form)
        };
        let mut buf = encode(&groups[0], ScriptForm::Hash);
        for group in &groups[1..] {
            buf.append(&encode(group, ScriptForm::Hash));
        }
        let replies = session.connection.send_all(&buf, groups.len());
        drop(buf);

        let flight = Flight { node: self, session: &session, left_at: now };
        let timer = sleep_until(due.into());
        pin!(timer);
        for (group, reply) in groups.into_iter().zip(replies) {
            let mut reply = flight.wait(&mut checks, timer.as_mut(), reply).await?;
            if reply == Err(CommandError::NoScript) {
                let in_full = session.connection.send(&encode(&group, ScriptForm::Full));
                reply = flight.wait(&mut checks, timer.as_mut(), in_full).await?;
            }
            let decode = |reply| Checks(&requests[group.clone()]).decode(reply);
            match self.on_reply(&session, reply.and_then(decode)) {
                Ok(outcomes) => {
                    if outcomes.contains(&Err(CallError::NotABucket)) {
                        connector.health.failed(WRONG_TYPE);
                    }
                    checks.complete(group, outcomes);
                }
                Err(error) => checks.fail(group, &error),
            }
        }
        Some(now.elapsed())
    }
}

/// Checks that wait until this is dropped.
struct Waiting<'a> {
    queue: &'a BatchQueue,
    checks: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.finished(self.checks);
    }
}

/// A batch that was sent.
struct Flight<'a> {
    node: &'a Node,
    session: &'a Rc<Session>,
    left_at: Instant,
}

impl Flight<'_> {
    /// Waits for a reply, and fails the checks that are due meanwhile. `None` if no caller waits
    /// any more.
    async fn wait(
        &self,
        checks: &mut BatchedChecks,
        mut timer: Pin<&mut Sleep>,
        mut reply: PendingReply,
    ) -> Option<Result<Reply, CommandError>> {
        loop {
            select! {
                biased;
                reply = &mut reply => return Some(reply),
                () = timer.as_mut() => {}
            }
            self.node.on_timeout(self.session, self.left_at);
            let due = checks.expire(Instant::now(), self.node.worker.connector.deadline)?;
            timer.as_mut().reset(due.into());
        }
    }
}
