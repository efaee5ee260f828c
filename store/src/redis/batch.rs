//! Checks that arrive while a batch is in flight share the next round trip.
//!
//! There is nothing to tune: a check that finds nothing in flight is sent at once, and the busier
//! the worker is, the more checks share a batch and the less each one costs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use rl_bucket::{Cost, Decision, Limit, MAX_CHECKS};
use tokio::{
    select,
    sync::{Notify, oneshot},
    time::sleep_until,
};

use super::{error::CallError, topology::slot};
use crate::{BucketRequest, StoreError};

/// Checks that wait to be sent, in batches.
#[derive(Default)]
pub(super) struct BatchQueue {
    batches: RefCell<VecDeque<Batch>>,
    arrived: Notify,
    /// When the next batch may leave, if one waits for that.
    leave_at: Cell<Option<Instant>>,
    /// The checks in the queue and in flight.
    waiting: Cell<usize>,
}

/// Checks that share a round trip: at least one, and at most [`MAX_CHECKS`].
#[derive(Default)]
pub(super) struct Batch {
    pub(super) keys: Vec<u8>,
    pub(super) checks: BatchedChecks,
}

/// The checks of a batch, and their callers. Their keys are kept apart, so that requests can borrow
/// them while callers are answered.
#[derive(Default)]
pub(super) struct BatchedChecks(Vec<QueuedCheck>);

struct QueuedCheck {
    key: Range<usize>,
    limit: Limit,
    cost: Cost,
    started: Instant,
    /// `None` once the caller has its answer.
    reply: Option<oneshot::Sender<BatchedDecision>>,
}

/// The outcome of one check of a batch.
pub(super) type BatchedDecision = Result<Decision, CallError>;

/// Most checks that may wait, in the queue or in flight. A server further behind would answer the
/// last of them too late.
const MAX_WAITING: usize = 4 * MAX_CHECKS;

// === impl BatchQueue ===

impl BatchQueue {
    /// Adds a check whose deadline started at `started`, and waits for its decision. A check beyond the bound is not sent.
    pub(super) async fn check(
        &self,
        started: Instant,
        request: &BucketRequest<'_>,
    ) -> BatchedDecision {
        let reply = self.add(started, request).ok_or(StoreError::Shed)?;
        // The sender is gone if the worker stops in between.
        reply.await.unwrap_or(Err(StoreError::Failed.into()))
    }

    fn add(
        &self,
        started: Instant,
        request: &BucketRequest<'_>,
    ) -> Option<oneshot::Receiver<BatchedDecision>> {
        let waiting = self.waiting.get();
        if waiting >= MAX_WAITING {
            return None;
        }
        self.waiting.set(waiting + 1);
        let (sender, receiver) = oneshot::channel();
        let mut batches = self.batches.borrow_mut();
        if batches.back().is_none_or(|batch| batch.checks.0.len() >= MAX_CHECKS) {
            batches.push_back(Batch::default());
            self.arrived.notify_one();
        } else if self.leave_at.get().is_some_and(|leave_at| leave_at <= Instant::now()) {
            self.arrived.notify_one();
        }
        if let Some(batch) = batches.back_mut() {
            batch.add(started, request, sender);
        }
        Some(receiver)
    }

    /// Waits until there is a batch to take.
    pub(super) async fn arrived(&self) {
        while self.batches.borrow().is_empty() {
            self.arrived.notified().await;
        }
    }

    /// Waits until this moment, or for the first check that arrives after it: timers are coarse.
    pub(super) async fn wait_until(&self, leave_at: Instant) {
        self.leave_at.set(Some(leave_at));
        while Instant::now() < leave_at {
            select! {
                () = self.arrived.notified() => {}
                () = sleep_until(leave_at.into()) => {}
            }
        }
    }

    /// Takes the next batch, if there is one.
    pub(super) fn take(&self) -> Option<Batch> {
        self.leave_at.set(None);
        self.batches.borrow_mut().pop_front()
    }

    /// Records that a batch of so many checks waits no more.
    pub(super) fn finished(&self, checks: usize) {
        self.waiting.set(self.waiting.get() - checks);
    }
}

// === impl Batch ===

impl Batch {
    fn add(
        &mut self,
        started: Instant,
        request: &BucketRequest<'_>,
        reply: oneshot::Sender<BatchedDecision>,
    ) {
        let from = self.keys.len();
        self.keys.extend_from_slice(request.key);
        self.checks.0.push(QueuedCheck {
            key: from..self.keys.len(),
            limit: request.limit,
            cost: request.amount,
            started,
            reply: Some(reply),
        });
    }
}

// === impl BatchedChecks ===

impl BatchedChecks {
    /// Fails the checks that are due, before the batch is sent, and drops those whose callers have
    /// given up. Returns when the first of the rest is due; `None` if there is no rest.
    pub(super) fn prune(&mut self, now: Instant, deadline: Duration) -> Option<Instant> {
        let due = self.expire(now, deadline);
        self.0.retain(QueuedCheck::is_open);
        due
    }

    /// Fails the checks that are due. Returns when the first of the rest is due; `None` if no
    /// caller waits any more.
    pub(super) fn expire(&mut self, now: Instant, deadline: Duration) -> Option<Instant> {
        let mut first_due = None;
        for check in self.0.iter_mut().filter(|check| check.is_open()) {
            let due = check.started + deadline;
            if due <= now {
                check.answer(Err(StoreError::Late.into()));
            } else if first_due.is_none_or(|first| due < first) {
                first_due = Some(due);
            }
        }
        first_due
    }

    /// Sorts the checks by hash slot. Returns the range of each slot; checks of one slot stay in
    /// order.
    pub(super) fn group_by_slot(&mut self, keys: &[u8]) -> Vec<Range<usize>> {
        let slot = |check: &QueuedCheck| slot::of(&keys[check.key.clone()]);
        self.0.sort_by_cached_key(slot);
        let mut start = 0;
        let groups = self.0.chunk_by(|check, next| slot(check) == slot(next));
        groups
            .map(|group| {
                let range = start..start + group.len();
                start = range.end;
                range
            })
            .collect()
    }

    /// The requests, in order.
    pub(super) fn requests<'k>(&self, keys: &'k [u8]) -> Vec<BucketRequest<'k>> {
        let request = |check: &QueuedCheck| BucketRequest {
            key: &keys[check.key.clone()],
            limit: check.limit,
            amount: check.cost,
        };
        self.0.iter().map(request).collect()
    }

    /// Hands the checks of this range their outcomes, in order. Checks beyond the last one fail.
    pub(super) fn complete(
        &mut self,
        range: Range<usize>,
        outcomes: impl IntoIterator<Item = BatchedDecision>,
    ) {
        let failed = std::iter::repeat(Err(StoreError::Failed.into()));
        for (check, outcome) in self.0[range].iter_mut().zip(outcomes.into_iter().chain(failed)) {
            check.answer(outcome);
        }
    }

    /// Fails every check for the same reason.
    pub(super) fn fail(&mut self, range: Range<usize>, error: &CallError) {
        self.0[range].iter_mut().for_each(|check| check.answer(Err(error.clone())));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

// === impl QueuedCheck ===

impl QueuedCheck {
    /// Whether its caller still waits for an answer.
    fn is_open(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn answer(&mut self, outcome: BatchedDecision) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use futures_util::{FutureExt, future::join_all};
    use rl_bucket::{Cost, Decision, Limit, Outcome};

    use super::{Batch, BatchQueue, MAX_CHECKS, MAX_WAITING};
    use crate::{BucketRequest, StoreError};

    const HOUR: Duration = Duration::from_secs(3600);

    fn allowed(limit: u64) -> Decision {
        Decision { outcome: Outcome::Allowed, limit, remaining: 0, reset_after_ms: 0 }
    }

    #[tokio::test(flavor = "local")]
    async fn checks_that_arrive_together_share_a_batch_in_order() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let keys: Vec<_> = (0..MAX_CHECKS + 10).map(|i| i.to_string()).collect();
        let requests: Vec<_> = keys
            .iter()
            .map(|key| BucketRequest { key: key.as_bytes(), limit, amount: Cost::ONE })
            .collect();
        let mut checks =
            Box::pin(join_all(requests.iter().map(|request| queue.check(Instant::now(), request))));
        assert!(checks.as_mut().now_or_never().is_none());
        let mut sent = 0;
        for size in [MAX_CHECKS, 10] {
            let Batch { keys, mut checks } = queue.take().expect("a batch");
            assert!(checks.prune(Instant::now(), HOUR).is_some());
            assert_eq!(checks.requests(&keys), requests[sent..sent + size]);
            checks.complete(0..size, (sent..sent + size).map(|i| Ok(allowed(i as u64))));
            sent += size;
        }
        let outcomes = checks.await;
        assert!(outcomes.into_iter().eq((0..sent as u64).map(|i| Ok(allowed(i)))));
        assert!(queue.arrived().now_or_never().is_none());
    }

    #[tokio::test(flavor = "local")]
    async fn checks_beyond_the_bound_are_shed() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        let waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| queue.add(Instant::now(), &request).expect("room")).collect();
        assert_eq!(queue.check(Instant::now(), &request).await, Err(StoreError::Shed.into()));
        let batch = queue.take().expect("a batch");
        let shed = queue.check(Instant::now(), &request).await;
        assert_eq!(shed, Err(StoreError::Shed.into()), "they are in flight");
        queue.finished(batch.checks.len());
        assert!(queue.check(Instant::now(), &request).now_or_never().is_none());
        drop(waiting);
    }

    #[tokio::test(flavor = "local")]
    async fn abandoned_checks_are_not_sent() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        let mut abandoned = Box::pin(queue.check(Instant::now(), &request));
        let mut kept = Box::pin(queue.check(Instant::now(), &request));
        assert!(abandoned.as_mut().now_or_never().is_none());
        assert!(kept.as_mut().now_or_never().is_none());
        drop(abandoned);
        let Batch { keys, mut checks } = queue.take().expect("a batch");
        assert!(checks.prune(Instant::now(), HOUR).is_some());
        assert_eq!(checks.requests(&keys), [request]);
        assert!(checks.prune(Instant::now(), Duration::ZERO).is_none(), "it is due");
        assert_eq!(kept.await, Err(StoreError::Late.into()));
    }

    #[tokio::test(flavor = "local")]
    async fn each_check_has_its_own_deadline() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        let older = queue.add(Instant::now(), &request).expect("room");
        let between = Instant::now();
        while between == Instant::now() {} // the clock's next tick
        let younger = queue.add(Instant::now(), &request).expect("room");
        let Batch { mut checks, .. } = queue.take().expect("a batch");
        let due = checks.expire(between + HOUR, HOUR).expect("the younger waits");
        assert!(due > between + HOUR);
        assert_eq!(older.await, Ok(Err(StoreError::Late.into())));
        checks.complete(0..2, [Ok(allowed(1)), Ok(allowed(2))]);
        assert_eq!(younger.await, Ok(Ok(allowed(2))));
        assert!(checks.expire(due + HOUR, HOUR).is_none(), "nobody waits");
    }

    #[tokio::test(flavor = "local")]
    async fn checks_of_one_slot_stay_together_and_in_order() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let names = ["{b}1", "{a}1", "{b}2", "{a}2", "{b}3"];
        let check = |key: &'static str| {
            queue.add(
                Instant::now(),
                &BucketRequest { key: key.as_bytes(), limit, amount: Cost::ONE },
            )
        };
        let callers: Vec<_> = names.into_iter().map(|key| check(key).expect("room")).collect();
        let Batch { keys, mut checks } = queue.take().expect("a batch");
        let groups = checks.group_by_slot(&keys);
        let requests = checks.requests(&keys);
        let mut by_slot: Vec<Vec<&[u8]>> = groups
            .into_iter()
            .map(|range| requests[range].iter().map(|request| request.key).collect())
            .collect();
        by_slot.sort();
        assert_eq!(by_slot, [&[&b"{a}1"[..], b"{a}2"][..], &[b"{b}1", b"{b}2", b"{b}3"]]);
        let outcome = |request: &BucketRequest<'_>| Ok(allowed(request.key[1].into()));
        checks.complete(0..5, requests.iter().map(outcome));
        for (caller, name) in callers.into_iter().zip(names) {
            assert_eq!(caller.await, Ok(Ok(allowed(name.as_bytes()[1].into()))));
        }
    }
}
