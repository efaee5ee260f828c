//! A question once its limits are known.

use std::sync::Arc;

use rl_bucket::{Cost, Op};
use rl_store::{BucketRequest, Decisions, bucket_key::Pseudonyms, memory::MemoryStore, now};
use smallvec::{SmallVec, smallvec};

use super::{
    CheckRequest, LimitSource, LimiterError,
    active::{ActivePolicies, ActivePolicy},
    result::CheckResult,
};
use crate::policy::Limits;

/// A question with all that its answer depends on.
pub(super) struct ResolvedCheck {
    pub(super) policy: Arc<ActivePolicy>,
    pub(super) limits: Limits,
    /// The names of the buckets, one for each limit.
    pub(super) buckets: SmallVec<[Vec<u8>; 1]>,
    pub(super) cost: Cost,
}

// === impl ResolvedCheck ===

impl ResolvedCheck {
    /// Finds the policy and the limits that apply.
    pub(super) fn new(
        policies: &ActivePolicies,
        names: &Pseudonyms,
        question: &CheckRequest<'_>,
    ) -> Result<Self, LimiterError> {
        let (policy, limits) = match &question.source {
            LimitSource::Policy(name) => {
                let policy = policies.get(name).ok_or(LimiterError::UnknownPolicy)?;
                (policy, policy.limits(&question.key))
            }
            LimitSource::Inline(limit) => {
                (policies.inline().ok_or(LimiterError::InlineForbidden)?, Limits::inline(*limit))
            }
        };
        let name = names.of(&question.key);
        let buckets = limits.iter().map(|limit| policy.bucket(&name, limit)).collect();
        Ok(Self { policy: policy.clone(), limits, buckets, cost: question.cost })
    }

    /// The request for the only bucket; `None` if there are several.
    pub(super) fn request(&self) -> Option<BucketRequest<'_>> {
        match (&self.buckets[..], &self.limits[..]) {
            ([key], [limit]) => Some(BucketRequest { key, limit: limit.limit, amount: self.cost }),
            _ => None,
        }
    }

    /// One for each bucket.
    pub(super) fn requests(&self) -> Vec<BucketRequest<'_>> {
        let pairs = self.buckets.iter().zip(self.limits.iter());
        pairs
            .map(|(key, limit)| BucketRequest { key, limit: limit.limit, amount: self.cost })
            .collect()
    }

    /// A check, or the same with every bucket.
    pub(super) fn ask_in(&self, memory: &MemoryStore, op: Op) -> Decisions {
        if let Some(request) = self.request() {
            return smallvec![memory.apply_with(op, &request, now)];
        }
        let requests = self.requests();
        if op == Op::Check {
            return memory.check_all_with(&requests, now).decisions.into();
        }
        requests.iter().map(|request| memory.apply_with(op, request, now)).collect()
    }

    pub(super) fn answer(self, decisions: Decisions) -> CheckResult {
        CheckResult { policy: self.policy, limits: self.limits, decisions, is_degraded: false }
    }
}
