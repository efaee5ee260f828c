//! A question once its limits are known.

use std::sync::Arc;

use rl_bucket::Cost;
use smallvec::{SmallVec, smallvec};

use super::{Answer, Choice, Decisions, Question, Refusal};
use crate::{
    names::Names,
    policy::{Limits, Policies, Policy},
    store::{self, Ask, Request, memory::MemoryStore},
};

/// A question with all that its answer depends on.
pub(super) struct Case {
    pub(super) policy: Arc<Policy>,
    pub(super) limits: Limits,
    /// The names of the buckets, one for each limit.
    pub(super) buckets: SmallVec<[Vec<u8>; 1]>,
    pub(super) cost: Cost,
}

// === impl Case ===

impl Case {
    /// Finds the policy and the limits that apply.
    pub(super) fn new(
        policies: &Policies,
        names: &Names,
        question: &Question<'_>,
    ) -> Result<Self, Refusal> {
        let (policy, limits) = match &question.policy {
            Choice::Named(name) => {
                let policy = policies.named(name).ok_or(Refusal::UnknownPolicy)?;
                (policy, policy.limits(&question.key))
            }
            Choice::Inline(limit) => {
                (policies.inline().ok_or(Refusal::InlineOff)?, Limits::inline(*limit))
            }
        };
        let name = names.of(&question.key);
        let buckets = limits.iter().map(|limit| policy.bucket(&name, limit)).collect();
        Ok(Self { policy: policy.clone(), limits, buckets, cost: question.cost })
    }

    /// The request for the only bucket; `None` if there are several.
    pub(super) fn request(&self) -> Option<Request<'_>> {
        match (&self.buckets[..], &self.limits[..]) {
            ([key], [limit]) => Some(Request { key, limit: limit.limit, amount: self.cost }),
            _ => None,
        }
    }

    /// One for each bucket.
    pub(super) fn requests(&self) -> Vec<Request<'_>> {
        let pairs = self.buckets.iter().zip(self.limits.iter());
        pairs.map(|(key, limit)| Request { key, limit: limit.limit, amount: self.cost }).collect()
    }

    /// A check, or the same with every bucket.
    pub(super) fn ask_in(&self, memory: &MemoryStore, ask: Ask) -> Decisions {
        if let Some(request) = self.request() {
            return smallvec![memory.ask_with(ask, &request, store::now)];
        }
        let requests = self.requests();
        if ask == Ask::Check {
            return memory.check_all_with(&requests, store::now).decisions.into();
        }
        requests.iter().map(|request| memory.ask_with(ask, request, store::now)).collect()
    }

    pub(super) fn answer(self, decisions: Decisions) -> Answer {
        Answer { policy: self.policy, limits: self.limits, decisions, degraded: false }
    }
}
