//! Checks that arrive while a batch is in flight share the next round trip.
//!
//! There is no timer and nothing to tune: a check that finds nothing in flight is sent at once, and
//! the busier the worker is, the more checks share a batch and the less each one costs.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use rl_bucket::{Cost, Decision, Limit, MAX_CHECKS};
use tokio::sync::{Notify, oneshot};

use super::error::CallError;
use crate::{BucketRequest, StoreError};

/// Checks that wait to be sent, in batches.
#[derive(Default)]
pub(super) struct BatchQueue {
    batches: RefCell<VecDeque<Batch>>,
    arrived: Notify,
}

/// Checks that share a round trip: at least one, and at most [`MAX_CHECKS`].
#[derive(Default)]
pub(super) struct Batch {
    keys: Vec<u8>,
    checks: Vec<QueuedCheck>,
}

struct QueuedCheck {
    key: Range<usize>,
    limit: Limit,
    cost: Cost,
    queued_at: Instant,
    reply: oneshot::Sender<BatchedDecision>,
}

/// The outcome of one check of a batch.
pub(super) type BatchedDecision = Result<Decision, CallError>;

/// Most batches that may wait. A server further behind would answer the last of them too late.
const MAX_BATCHES: usize = 4;

// === impl BatchQueue ===

impl BatchQueue {
    /// Adds a check and waits for its decision. A check beyond the bound is not sent.
    pub(super) async fn check(&self, request: &BucketRequest<'_>) -> BatchedDecision {
        let reply = self.add(request).ok_or(StoreError::Shed)?;
        // The sender is gone if the worker stops in between.
        reply.await.unwrap_or(Err(StoreError::Failed.into()))
    }

    fn add(&self, request: &BucketRequest<'_>) -> Option<oneshot::Receiver<BatchedDecision>> {
        let (sender, receiver) = oneshot::channel();
        let mut batches = self.batches.borrow_mut();
        if batches.back().is_none_or(|batch| batch.checks.len() >= MAX_CHECKS) {
            if batches.len() >= MAX_BATCHES {
                return None;
            }
            batches.push_back(Batch::default());
            self.arrived.notify_one();
        }
        if let Some(batch) = batches.back_mut() {
            batch.add(request, sender);
        }
        Some(receiver)
    }

    /// The next batch, as soon as there is one.
    pub(super) async fn next(&self) -> Batch {
        loop {
            if let Some(batch) = self.batches.borrow_mut().pop_front() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }
}

// === impl Batch ===

impl Batch {
    fn add(&mut self, request: &BucketRequest<'_>, reply: oneshot::Sender<BatchedDecision>) {
        let from = self.keys.len();
        self.keys.extend_from_slice(request.key);
        self.checks.push(QueuedCheck {
            key: from..self.keys.len(),
            limit: request.limit,
            cost: request.amount,
            queued_at: Instant::now(),
            reply,
        });
    }

    /// Fails the checks whose deadline has passed, and drops those whose callers have given up.
    /// Returns when the oldest of the rest was queued; `None` if there is no rest.
    pub(super) fn prune(&mut self, deadline: Duration) -> Option<Instant> {
        let now = Instant::now();
        let late =
            |check: &mut QueuedCheck| now.saturating_duration_since(check.queued_at) >= deadline;
        for check in self.checks.extract_if(.., late) {
            let _ = check.reply.send(Err(StoreError::Late.into()));
        }
        self.checks.retain(|check| !check.reply.is_closed());
        self.checks.first().map(|check| check.queued_at)
    }

    /// The requests, in order.
    pub(super) fn requests(&self) -> Vec<BucketRequest<'_>> {
        let request = |check: &QueuedCheck| BucketRequest {
            key: &self.keys[check.key.clone()],
            limit: check.limit,
            amount: check.cost,
        };
        self.checks.iter().map(request).collect()
    }

    /// Hands each check its outcome, in order. Checks beyond the last one fail.
    pub(super) fn complete(self, outcomes: impl IntoIterator<Item = BatchedDecision>) {
        let failed = std::iter::repeat(Err(StoreError::Failed.into()));
        for (check, outcome) in self.checks.into_iter().zip(outcomes.into_iter().chain(failed)) {
            let _ = check.reply.send(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, future::join_all};
    use rl_bucket::{Cost, Decision, Limit, Outcome};

    use super::{BatchQueue, MAX_BATCHES, MAX_CHECKS};
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
        let mut checks = Box::pin(join_all(requests.iter().map(|request| queue.check(request))));
        assert!(checks.as_mut().now_or_never().is_none());
        let mut sent = 0;
        for size in [MAX_CHECKS, 10] {
            let mut batch = queue.next().await;
            assert!(batch.prune(HOUR).is_some());
            assert_eq!(batch.requests(), requests[sent..sent + size]);
            batch.complete((sent..sent + size).map(|i| Ok(allowed(i as u64))));
            sent += size;
        }
        let outcomes = checks.await;
        assert!(outcomes.into_iter().eq((0..sent as u64).map(|i| Ok(allowed(i)))));
        assert!(queue.next().now_or_never().is_none());
    }

    #[tokio::test(flavor = "local")]
    async fn checks_beyond_the_bound_are_shed() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        let waiting: Vec<_> =
            (0..MAX_BATCHES * MAX_CHECKS).map(|_| queue.add(&request).expect("room")).collect();
        assert_eq!(queue.check(&request).await, Err(StoreError::Shed.into()));
        drop(queue.next().await);
        assert!(queue.check(&request).now_or_never().is_none());
        drop(waiting);
    }

    #[tokio::test(flavor = "local")]
    async fn abandoned_checks_are_not_sent() {
        let queue = BatchQueue::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
        let mut abandoned = Box::pin(queue.check(&request));
        let mut kept = Box::pin(queue.check(&request));
        assert!(abandoned.as_mut().now_or_never().is_none());
        assert!(kept.as_mut().now_or_never().is_none());
        drop(abandoned);
        let mut batch = queue.next().await;
        assert!(batch.prune(HOUR).is_some());
        assert_eq!(batch.requests(), [request]);
        assert!(batch.prune(Duration::ZERO).is_none(), "its deadline has passed");
        assert_eq!(kept.await, Err(StoreError::Late.into()));
    }
}
