//! Sends the checks that are queued for a node, one batch after the other.

use std::{rc::Rc, time::Instant};

use rl_bucket::Decision;

use super::{
    batch::{Batch, BatchedDecision},
    commands::{Arguments, Command, CommandSpec, MCheck, check},
    engine::ScriptForm,
    error::{CallError, CommandError},
    node::{Node, WRONG_TYPE},
    resp::{encode::CommandBuf, reply::Reply},
    session::Session,
    topology::slot,
};
use crate::{BucketRequest, NotABucket, StoreError};

/// Sends batches as they form, until the client is dropped.
pub(super) async fn run(node: Rc<Node>) {
    loop {
        let batch = node.queue.next().await;
        node.check_batch(batch).await;
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
    /// Makes the checks of a batch, each within its deadline.
    async fn check_batch(&self, mut batch: Batch) {
        let connector = &self.worker.connector;
        let Some(started) = batch.prune(connector.deadline) else { return };
        let Some(session) = self.session() else {
            return batch.complete(std::iter::repeat(Err(StoreError::Down.into())));
        };
        let requests = batch.requests();
        let outcomes = match requests.as_slice() {
            [_, _, ..] if connector.is_cluster() => {
                self.check_by_slot(&session, started, &requests).await
            }
            requests => {
                let checks = Checks(requests);
                let reply = session.send(&checks);
                self.await_checks(&session, started, reply, &checks).await
            }
        };
        drop(requests);
        if outcomes.contains(&Err(CallError::NotABucket)) {
            connector.health.failed(WRONG_TYPE);
        }
        batch.complete(outcomes);
    }

    /// Sends one command for each hash slot, all at once: a cluster node takes no command that
    /// spans several.
    async fn check_by_slot(
        &self,
        session: &Rc<Session>,
        started: Instant,
        requests: &[BucketRequest<'_>],
    ) -> Vec<BatchedDecision> {
        let slots = requests.iter().enumerate().map(|(index, it)| (slot::of(it.key), index));
        let mut order: Vec<_> = slots.collect();
        order.sort_unstable(); // checks of one slot stay in order
        let groups: Vec<_> = order.chunk_by(|(slot, _), (next, _)| slot == next).collect();
        let by_group: Vec<Vec<_>> = groups
            .iter()
            .map(|group| group.iter().map(|(_, index)| requests[*index]).collect())
            .collect();
        let mut buf = CommandBuf::default();
        for group in &by_group {
            buf.append(&session.engine.encode(&Checks(group), ScriptForm::Hash));
        }
        let replies = session.connection.send_all(&buf, groups.len());
        let mut outcomes = vec![Err(StoreError::Failed.into()); requests.len()];
        for ((group, requests), reply) in groups.into_iter().zip(&by_group).zip(replies) {
            let checks = Checks(requests);
            let reply = async {
                match reply.await {
                    Err(CommandError::NoScript) => {
                        let full = session.engine.encode(&checks, ScriptForm::Full);
                        session.connection.send(&full).await
                    }
                    reply => reply,
                }
            };
            let group_outcomes = self.await_checks(session, started, reply, &checks).await;
            for ((_, index), outcome) in group.iter().zip(group_outcomes) {
                outcomes[*index] = outcome;
            }
        }
        outcomes
    }

    /// Waits for the reply to these checks; an error is the outcome of each.
    async fn await_checks(
        &self,
        session: &Rc<Session>,
        started: Instant,
        reply: impl Future<Output = Result<Reply, CommandError>>,
        checks: &Checks<'_>,
    ) -> Vec<BatchedDecision> {
        let outcomes = self.await_reply(session, started, reply, |it| checks.decode(it)).await;
        outcomes.unwrap_or_else(|error| vec![Err(error); checks.0.len()])
    }
}
