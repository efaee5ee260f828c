//! The store as the limiter calls it: each call is timed, and its failure counted.

use std::{sync::Arc, time::Instant};

use futures_util::future::join_all;
use rl_bucket::{Decision, Op};
use rl_store::{BucketRequest, Decisions, Store, StoreError, memory::MemoryStore};
use smallvec::smallvec;

use super::resolve::ResolvedCheck;
use crate::metrics::Metrics;

/// A store whose calls are timed and whose failures are counted.
#[derive(Debug)]
pub(super) struct MeteredStore {
    store: Store,
    metrics: Arc<Metrics>,
}

// === impl MeteredStore ===

impl MeteredStore {
    pub(super) fn new(store: Store, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    /// The buckets, if this process holds them.
    pub(super) fn memory(&self) -> Option<&MemoryStore> {
        match &self.store {
            Store::Memory(memory) => Some(memory),
            Store::Redis(_) => None,
        }
    }

    /// Makes one check, of one limit or of several that are allowed together.
    pub(super) async fn check(&self, check: &ResolvedCheck<'_>) -> Result<Decisions, StoreError> {
        if let Some(request) = check.bucket_request() {
            let decision = self.timed(self.store.apply(Op::Check, &request)).await?;
            return Ok(smallvec![decision]);
        }
        let joint = self.timed(self.store.check_all(&check.bucket_requests())).await?;
        Ok(joint.decisions.into())
    }

    /// Makes independent checks, of one limit each, in order.
    pub(super) async fn check_each(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Vec<Result<Decision, StoreError>> {
        self.timed_each(self.store.check_each(requests)).await
    }

    /// Makes independent checks, of several limits each, in order.
    pub(super) async fn check_all_each(
        &self,
        checks: &[&ResolvedCheck<'_>],
    ) -> Vec<Result<Decisions, StoreError>> {
        let requests: Vec<_> = checks.iter().map(|check| check.bucket_requests()).collect();
        let requests: Vec<_> = requests.iter().map(|requests| &requests[..]).collect();
        let joint = self.timed_each(self.store.check_all_each(&requests)).await.into_iter();
        joint.map(|it| it.map(|joint| joint.decisions.into())).collect()
    }

    /// Carries out an operation on every bucket of a check, each for itself.
    pub(super) async fn apply(
        &self,
        op: Op,
        check: &ResolvedCheck<'_>,
    ) -> Result<Decisions, StoreError> {
        if let Some(request) = check.bucket_request() {
            let decision = self.timed(self.store.apply(op, &request)).await?;
            return Ok(smallvec![decision]);
        }
        let requests = check.bucket_requests();
        let calls = requests.iter().map(|request| self.store.apply(op, request));
        // A failed call does not cancel the others.
        self.timed(async { join_all(calls).await.into_iter().collect() }).await
    }

    /// Takes as many whole tokens as there are, at most the amount.
    pub(super) async fn take(
        &self,
        request: &BucketRequest<'_>,
    ) -> Result<(u64, Decision), StoreError> {
        self.timed(self.store.take(request)).await
    }

    /// Deletes buckets. Returns the number that existed.
    pub(super) async fn reset(&self, bucket_keys: &[&[u8]]) -> Result<u64, StoreError> {
        self.timed(self.store.reset(bucket_keys)).await
    }

    /// Times the checks of one request, and counts the failure of each.
    async fn timed_each<T>(
        &self,
        call: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        let started = Instant::now();
        let results = call.await;
        let errors = || results.iter().filter_map(|it| it.as_ref().err());
        errors().for_each(|error| self.metrics.count_store_error(*error));
        let unsent =
            errors().filter(|it| matches!(it, StoreError::Down | StoreError::Shed)).count();
        if unsent < results.len() {
            self.metrics.store_seconds.observe(started.elapsed().as_secs_f64());
        }
        results
    }

    async fn timed<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if matches!(self.store, Store::Memory(_)) {
            return call.await;
        }
        let started = Instant::now();
        let result = call.await;
        if let Err(error) = result {
            self.metrics.count_store_error(error);
        }
        // Calls that were never sent take no time, and would hide the slow ones.
        if !matches!(result, Err(StoreError::Down | StoreError::Shed)) {
            self.metrics.store_seconds.observe(started.elapsed().as_secs_f64());
        }
        result
    }
}
