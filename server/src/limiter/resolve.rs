//! A check request whose policy, limits and bucket keys are known.

use std::{borrow::Cow, sync::Arc};

use rl_bucket::{Cost, Op};
use rl_store::{BucketRequest, Decisions, bucket_key::Pseudonyms, memory::MemoryStore, now};
use smallvec::{SmallVec, smallvec};

use super::{
    active::{ActivePolicies, ActivePolicy},
    error::LimiterError,
    request::{CheckRequest, LimitSource},
    result::CheckResult,
};
use crate::policy::Limits;

/// A check request whose policy, limits and bucket keys are known.
pub(super) struct ResolvedCheck<'r> {
    /// The normalised key.
    pub(super) key: Cow<'r, str>,
    pub(super) policy: Arc<ActivePolicy>,
    pub(super) limits: Limits,
    /// One key for each limit.
    pub(super) bucket_keys: SmallVec<[Vec<u8>; 1]>,
    pub(super) cost: Cost,
}

// === impl ResolvedCheck ===

impl<'r> ResolvedCheck<'r> {
    /// Finds the policy, the normalised key and the limits that apply.
    pub(super) fn new(
        policies: &ActivePolicies,
        pseudonyms: &Pseudonyms,
        request: &'r CheckRequest<'_>,
    ) -> Result<Self, LimiterError> {
        let policy = match &request.source {
            LimitSource::Policy(name) => policies.get(name).ok_or(LimiterError::UnknownPolicy)?,
            LimitSource::Inline(_) => policies.inline().ok_or(LimiterError::InlineForbidden)?,
        };
        let key = policy.normalize(&request.key).ok_or(LimiterError::NotAnAddress)?;
        // Not the key as sent: another text with the prefix could name a bucket without it.
        if request.prefix.is_some_and(|prefix| !key.starts_with(prefix)) {
            return Err(LimiterError::OutsidePrefix);
        }
        let limits = match &request.source {
            LimitSource::Policy(_) => policy.limits(&key),
            LimitSource::Inline(limit) => Limits::inline(*limit),
        };
        let bucket_keys = {
            let name = pseudonyms.of(&key);
            limits.iter().map(|limit| policy.bucket_key(&name, limit)).collect()
        };
        Ok(Self { key, policy: policy.clone(), limits, bucket_keys, cost: request.cost })
    }

    /// The request for the only bucket; `None` if there are several.
    pub(super) fn bucket_request(&self) -> Option<BucketRequest<'_>> {
        match (&self.bucket_keys[..], &self.limits[..]) {
            ([key], [limit]) => Some(BucketRequest { key, limit: limit.limit, amount: self.cost }),
            _ => None,
        }
    }

    /// One request for each bucket.
    pub(super) fn bucket_requests(&self) -> Vec<BucketRequest<'_>> {
        let pairs = self.bucket_keys.iter().zip(self.limits.iter());
        pairs
            .map(|(key, limit)| BucketRequest { key, limit: limit.limit, amount: self.cost })
            .collect()
    }

    /// Carries out an operation on every bucket in memory; a check is allowed by all or takes
    /// nothing.
    pub(super) fn apply_in(&self, memory: &MemoryStore, op: Op) -> Decisions {
        if let Some(request) = self.bucket_request() {
            return smallvec![memory.apply_with(op, &request, now)];
        }
        let requests = self.bucket_requests();
        if op == Op::Check {
            return memory.check_all_with(&requests, now).decisions.into();
        }
        requests.iter().map(|request| memory.apply_with(op, request, now)).collect()
    }

    /// The result of the check under these decisions, one for each limit.
    pub(super) fn into_result(self, decisions: Decisions) -> CheckResult {
        CheckResult { policy: self.policy, limits: self.limits, decisions, is_degraded: false }
    }
}
