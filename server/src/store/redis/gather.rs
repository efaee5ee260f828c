//! Checks that arrive while others are in flight share the next round trip.
//!
//! There is no timer and nothing to tune: a check that finds nothing in flight goes out at once, and the
//! busier the worker is, the more checks go together and the less each one costs.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use rl_bucket::{Cost, Decision, Limit};
use tokio::sync::{Notify, oneshot};

use super::lane::Setback;
use crate::store::{Request, Unavailable};

/// Checks that wait to be sent.
#[derive(Default)]
pub(super) struct Gather {
    batches: RefCell<VecDeque<Batch>>,
    arrived: Notify,
}

/// Checks that are sent together: at least one, and at most [`MOST`].
#[derive(Default)]
pub(super) struct Batch {
    keys: Vec<u8>,
    checks: Vec<Check>,
}

struct Check {
    key: Range<usize>,
    limit: Limit,
    cost: Cost,
    asked: Instant,
    answer: oneshot::Sender<Answer>,
}

/// A decision, or why there is none.
pub(super) type Answer = Result<Decision, Setback>;

/// What `RL.MCHECK` takes in one call.
const MOST: usize = 1024;
/// Batches that may wait. A server that is so far behind would answer the last of them too late.
const LONGEST: usize = 4;

// === impl Gather ===

impl Gather {
    /// Adds a check and waits for its answer. Where too many wait it is not sent.
    pub(super) async fn check(&self, request: &Request<'_>) -> Answer {
        let answered = self.add(request).ok_or(Unavailable::Shed)?;
        // Nobody answers if the worker stops in between.
        answered.await.unwrap_or(Err(Unavailable::Failed.into()))
    }

    fn add(&self, request: &Request<'_>) -> Option<oneshot::Receiver<Answer>> {
        let (answer, answered) = oneshot::channel();
        let mut batches = self.batches.borrow_mut();
        if batches.back().is_none_or(|batch| batch.checks.len() >= MOST) {
            if batches.len() >= LONGEST {
                return None;
            }
            batches.push_back(Batch::default());
            self.arrived.notify_one();
        }
        if let Some(batch) = batches.back_mut() {
            batch.add(request, answer);
        }
        Some(answered)
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
    fn add(&mut self, request: &Request<'_>, answer: oneshot::Sender<Answer>) {
        let from = self.keys.len();
        self.keys.extend_from_slice(request.key);
        self.checks.push(Check {
            key: from..self.keys.len(),
            limit: request.limit,
            cost: request.amount,
            asked: Instant::now(),
            answer,
        });
    }

    /// Drops the checks for which nobody waits any more, or whose time is up: those are answered. When the
    /// first of the rest was asked; `None` if there is no rest.
    pub(super) fn prune(&mut self, deadline: Duration) -> Option<Instant> {
        let now = Instant::now();
        let late = |check: &mut Check| now.saturating_duration_since(check.asked) >= deadline;
        for check in self.checks.extract_if(.., late) {
            let _ = check.answer.send(Err(Unavailable::Late.into()));
        }
        self.checks.retain(|check| !check.answer.is_closed());
        self.checks.first().map(|check| check.asked)
    }

    /// What to ask, in order.
    pub(super) fn requests(&self) -> Vec<Request<'_>> {
        let request = |check: &Check| Request {
            key: &self.keys[check.key.clone()],
            limit: check.limit,
            amount: check.cost,
        };
        self.checks.iter().map(request).collect()
    }

    /// Gives every check its answer; where there are fewer, the rest got none.
    pub(super) fn answer(self, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().chain(std::iter::repeat(Err(Unavailable::Failed.into())));
        for (check, answer) in self.checks.into_iter().zip(answers) {
            let _ = check.answer.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{FutureExt, future::join_all};
    use rl_bucket::{Cost, Decision, Limit, Outcome};

    use super::{Gather, LONGEST, MOST};
    use crate::store::{Request, Unavailable};

    const HOUR: Duration = Duration::from_secs(3600);

    fn allowed(limit: u64) -> Decision {
        Decision { outcome: Outcome::Allowed, limit, remaining: 0, reset_after_ms: 0 }
    }

    #[actix_web::test]
    async fn what_arrives_together_goes_together_and_in_order() {
        let gather = Gather::default();
        let limit = Limit::parse("1", "1").unwrap();
        let keys: Vec<_> = (0..MOST + 10).map(|i| i.to_string()).collect();
        let requests: Vec<_> = keys
            .iter()
            .map(|key| Request { key: key.as_bytes(), limit, amount: Cost::ONE })
            .collect();
        let mut asking = Box::pin(join_all(requests.iter().map(|request| gather.check(request))));
        assert!(asking.as_mut().now_or_never().is_none());
        let mut asked = 0;
        for size in [MOST, 10] {
            let mut batch = gather.next().await;
            assert!(batch.prune(HOUR).is_some());
            assert_eq!(batch.requests(), requests[asked..asked + size]);
            batch.answer((asked..asked + size).map(|i| Ok(allowed(i as u64))));
            asked += size;
        }
        let answers = asking.await;
        assert!(answers.into_iter().eq((0..asked as u64).map(|i| Ok(allowed(i)))));
        assert!(gather.next().now_or_never().is_none());
    }

    #[actix_web::test]
    async fn what_would_wait_too_long_is_shed() {
        let gather = Gather::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = Request { key: b"k", limit, amount: Cost::ONE };
        let waiting: Vec<_> =
            (0..LONGEST * MOST).map(|_| gather.add(&request).expect("room")).collect();
        assert_eq!(gather.check(&request).await, Err(Unavailable::Shed.into()));
        drop(gather.next().await);
        assert!(gather.check(&request).now_or_never().is_none());
        drop(waiting);
    }

    #[actix_web::test]
    async fn who_waits_no_more_is_not_asked_about() {
        let gather = Gather::default();
        let limit = Limit::parse("1", "1").unwrap();
        let request = Request { key: b"k", limit, amount: Cost::ONE };
        let mut gone = Box::pin(gather.check(&request));
        let mut stays = Box::pin(gather.check(&request));
        assert!(gone.as_mut().now_or_never().is_none());
        assert!(stays.as_mut().now_or_never().is_none());
        drop(gone);
        let mut batch = gather.next().await;
        assert!(batch.prune(HOUR).is_some());
        assert_eq!(batch.requests(), [request]);
        assert!(batch.prune(Duration::ZERO).is_none(), "its time is up");
        assert_eq!(stays.await, Err(Unavailable::Late.into()));
    }
}
