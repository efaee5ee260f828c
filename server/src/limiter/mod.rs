//! The limiter: finds the limits of a request, and decides by the store in time or without it.

mod active;
mod batch;
mod error;
mod fallback;
mod request;
mod resolve;
mod result;
mod store;

use std::{mem, sync::Arc, time::Instant};

use rl_bucket::{Op, Outcome};
use rl_store::{Decisions, Store, StoreError, bucket_key::Pseudonyms, memory::MemoryStore, now};
use smallvec::smallvec;

pub use self::{
    active::{ActivePolicies, ActivePolicy},
    error::LimiterError,
    request::{CheckRequest, LimitSource},
    result::CheckResult,
};
use self::{
    batch::{Batch, DecidedCheck},
    resolve::ResolvedCheck,
    store::MeteredStore,
};
use crate::{
    denials::DenialCache,
    metrics::Metrics,
    offenders::Offenders,
    reload::Reloadable,
    slice::{CHUNK, Slice},
};

/// The limiter of one worker.
#[derive(Debug)]
pub struct Limiter {
    store: MeteredStore,
    shared: Arc<Shared>,
}

/// The state that the limiters of all workers share.
#[derive(Debug)]
pub struct Shared {
    /// The buckets of this front, for policies that limit locally while Redis is away.
    pub local: Arc<MemoryStore>,
    /// The policies in force.
    pub policies: Arc<Reloadable<ActivePolicies>>,
    /// The names of keys in the store and among the offenders.
    pub pseudonyms: Pseudonyms,
    /// Denials that still hold.
    pub denials: DenialCache,
    /// The keys denied most.
    pub offenders: Arc<Offenders>,
    /// The metrics of the front.
    pub metrics: Arc<Metrics>,
}

// === impl Limiter ===

impl Limiter {
    /// The limiter of one worker.
    pub fn new(store: Store, shared: Arc<Shared>) -> Self {
        Self { store: MeteredStore::new(store, shared.metrics.clone()), shared }
    }

    /// Whether pseudonyms replace keys wherever they are stored or listed.
    pub fn has_pseudonyms(&self) -> bool {
        !self.shared.pseudonyms.is_plain()
    }

    /// The names of policies that a request for an unknown one may have meant.
    pub fn near_policies(&self, request: &CheckRequest<'_>) -> Vec<String> {
        match &request.source {
            LimitSource::Policy(name) => self.shared.policies.get().near(name),
            LimitSource::Inline(_) => Vec::new(),
        }
    }

    /// Takes the cost if every limit allows it, within the store's deadline.
    pub async fn check(&self, request: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        let policies = self.shared.policies.get();
        if let Some(memory) = self.store.memory() {
            return self.check_in_memory(memory, &policies, request);
        }
        let check = ResolvedCheck::new(&policies, &self.shared.pseudonyms, request)?;
        drop(policies); // not held across an await
        let sent_at = Instant::now();
        Ok(match self.cached_denial(&check, sent_at) {
            Some(decisions) => self.counted(check, decisions),
            None => {
                // Boxed: every request is moved once, and would be with the room for a call.
                let decisions = Box::pin(self.store.check(&check)).await;
                self.check_result(check, decisions, sent_at)
            }
        })
    }

    /// Makes independent checks, in order; at most 1024, within the store's deadline.
    pub async fn check_each(
        &self,
        requests: &[CheckRequest<'_>],
    ) -> Vec<Result<CheckResult, LimiterError>> {
        let mut slice = Slice::default();
        if let Some(memory) = self.store.memory() {
            let mut results = Vec::with_capacity(requests.len());
            for requests in requests.chunks(CHUNK) {
                let policies = self.shared.policies.get();
                let check = |request| self.check_in_memory(memory, &policies, request);
                results.extend(requests.iter().map(check));
                drop(policies); // not held across an await
                let new = results[results.len() - requests.len()..].iter().flatten();
                slice.spend(new.map(|result| result.decisions.len()).sum()).await;
            }
            return results;
        }
        let sent_at = Instant::now();
        let mut batch = Batch::with_capacity(requests.len());
        for requests in requests.chunks(CHUNK) {
            let policies = self.shared.policies.get();
            let resolve = |request| ResolvedCheck::new(&policies, &self.shared.pseudonyms, request);
            let cached = |check: &_| self.cached_denial(check, sent_at);
            let buckets = batch.extend(requests.iter().map(resolve), cached);
            drop(policies); // not held across an await
            slice.spend(buckets).await;
        }
        let mut results = Vec::with_capacity(requests.len());
        for decided in batch.decide(&self.store).await {
            let result = decided.map(|decided| match decided {
                DecidedCheck::Cached(check, decisions) => self.counted(check, decisions),
                DecidedCheck::Sent(check, decisions) => {
                    self.check_result(check, decisions, sent_at)
                }
            });
            let buckets = result.as_ref().map_or(0, |result| result.decisions.len());
            results.push(result);
            slice.spend(buckets).await;
        }
        results
    }

    /// Gives the answer of a check and takes nothing.
    pub async fn peek(&self, request: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        let check = self.resolve(request)?;
        match self.store.apply(Op::Peek, &check).await {
            Ok(decisions) => Ok(check.into_result(decisions)),
            Err(_) => {
                let decisions = self.decide_without_store(&check, Op::Peek);
                Ok(CheckResult { is_degraded: true, ..check.into_result(decisions) })
            }
        }
    }

    /// Takes as many whole tokens as there are, at most the cost. Returns how many, and the result.
    pub async fn take(
        &self,
        request: &CheckRequest<'_>,
    ) -> Result<(u64, CheckResult), LimiterError> {
        let check = self.resolve(request)?;
        let bucket_request = check.bucket_request().ok_or(LimiterError::SeveralLimits)?;
        let taken = self.store.take(&bucket_request).await;
        let (granted, decision) = taken.unwrap_or_else(|_| {
            let on_error = check.policy.on_error;
            check.policy.counters.count_degraded(on_error);
            fallback::take(on_error, &bucket_request, &self.shared.local)
        });
        let is_degraded = taken.is_err();
        let result = CheckResult { is_degraded, ..self.counted(check, smallvec![decision]) };
        Ok((granted, result))
    }

    /// Gives tokens back, up to the capacity of each limit.
    pub async fn refund(&self, request: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        self.change(request, Op::Refund).await
    }

    /// Takes tokens that may not be there, down to a debt of one capacity of each limit.
    pub async fn charge(&self, request: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        self.change(request, Op::Charge).await
    }

    /// Fills the buckets of a key. Returns the number that were not full.
    pub async fn reset(&self, request: &CheckRequest<'_>) -> Result<u64, LimiterError> {
        let check = self.resolve(request)?;
        let bucket_keys: Vec<&[u8]> = check.bucket_keys.iter().map(Vec::as_slice).collect();
        let reset = self.store.reset(&bucket_keys).await;
        if self.store.memory().is_none() {
            // The local buckets of an outage, too.
            self.shared.local.reset_with(&bucket_keys, now);
        }
        self.shared.denials.remove(&check.bucket_keys[0]);
        reset.map_err(LimiterError::of_change)
    }

    /// Changes every bucket of a request. Without the store nothing is changed, not even locally:
    /// the caller gets an error and may try again.
    async fn change(
        &self,
        request: &CheckRequest<'_>,
        op: Op,
    ) -> Result<CheckResult, LimiterError> {
        let check = self.resolve(request)?;
        let changed = self.store.apply(op, &check).await;
        // Last, since a check that ran meanwhile may have cached a denial from before the change.
        self.shared.denials.remove(&check.bucket_keys[0]);
        changed.map(|decisions| check.into_result(decisions)).map_err(LimiterError::of_change)
    }

    /// Resolves a request under the policies in force.
    fn resolve<'r>(
        &self,
        request: &'r CheckRequest<'_>,
    ) -> Result<ResolvedCheck<'r>, LimiterError> {
        ResolvedCheck::new(&self.shared.policies.get(), &self.shared.pseudonyms, request)
    }

    /// Checks buckets of this process. No denial is cached: the bucket itself is as fast.
    fn check_in_memory(
        &self,
        memory: &MemoryStore,
        policies: &ActivePolicies,
        request: &CheckRequest<'_>,
    ) -> Result<CheckResult, LimiterError> {
        let check = ResolvedCheck::new(policies, &self.shared.pseudonyms, request)?;
        let decisions = check.apply_in(memory, Op::Check);
        Ok(self.counted(check, decisions))
    }

    /// A denial that still holds at `now`.
    fn cached_denial(&self, check: &ResolvedCheck<'_>, now: Instant) -> Option<Decisions> {
        let key = &check.bucket_keys[0];
        let decisions = self.shared.denials.get(key, &check.limits, check.cost, now)?;
        check.policy.counters.cached.inc();
        Some(decisions)
    }

    /// The result of a check that was sent to the store at `sent_at`. Its denial is cached.
    fn check_result(
        &self,
        check: ResolvedCheck<'_>,
        decisions: Result<Decisions, StoreError>,
        sent_at: Instant,
    ) -> CheckResult {
        let Ok(decisions) = decisions else {
            let decisions = self.decide_without_store(&check, Op::Check);
            return CheckResult { is_degraded: true, ..self.counted(check, decisions) };
        };
        if decisions.iter().any(|decision| !decision.is_allowed()) {
            let key = &check.bucket_keys[0];
            self.shared.denials.insert(key, &check.limits, check.cost, &decisions, sent_at);
        }
        self.counted(check, decisions)
    }

    /// Decides a check or a peek as the policy's `on_error` says.
    fn decide_without_store(&self, check: &ResolvedCheck<'_>, op: Op) -> Decisions {
        check.policy.counters.count_degraded(check.policy.on_error);
        fallback::decide(check, op, &self.shared.local)
    }

    /// The result of a check or a take, which is counted; a denial is recorded among the offenders.
    fn counted(&self, mut check: ResolvedCheck<'_>, decisions: Decisions) -> CheckResult {
        let key = mem::take(&mut check.key);
        let result = check.into_result(decisions);
        let counters = &result.policy.counters;
        let deciding = result.deciding();
        let counter = match deciding.outcome {
            Outcome::Allowed => &counters.allowed,
            _ if result.policy.is_shadow => &counters.would_deny,
            Outcome::NotYet { .. } => &counters.denied,
            Outcome::Never => &counters.never,
        };
        counter.inc();
        if !deciding.is_allowed() {
            let name = self.shared.pseudonyms.of(&key);
            self.shared.offenders.record_denial(result.policy.name(), &name);
        }
        result
    }
}

#[cfg(test)]
mod tests;
