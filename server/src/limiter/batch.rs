//! The checks of a batch, which share round trips.

use futures_util::future::join;
use rl_store::{Decisions, StoreError};
use smallvec::smallvec;

use super::{error::LimiterError, resolve::ResolvedCheck, store::MeteredStore};

/// Independent checks, in the order of their requests.
pub(super) struct Batch<'r> {
    entries: Vec<Result<Entry<'r>, LimiterError>>,
}

/// A check, and its decisions if the denial cache has them.
struct Entry<'r> {
    check: ResolvedCheck<'r>,
    cached: Option<Decisions>,
}

/// A check of a batch, with its decisions.
pub(super) enum DecidedCheck<'r> {
    /// The denial cache had them.
    Cached(ResolvedCheck<'r>, Decisions),
    /// The check was sent to the store.
    Sent(ResolvedCheck<'r>, Result<Decisions, StoreError>),
}

// === impl Batch ===

impl<'r> Batch<'r> {
    /// No checks yet, and room for so many.
    pub(super) fn with_capacity(checks: usize) -> Self {
        Self { entries: Vec::with_capacity(checks) }
    }

    /// Adds checks. `cached` looks a check up in the denial cache. Returns the number of their
    /// buckets.
    pub(super) fn extend(
        &mut self,
        checks: impl Iterator<Item = Result<ResolvedCheck<'r>, LimiterError>>,
        cached: impl Fn(&ResolvedCheck<'r>) -> Option<Decisions>,
    ) -> usize {
        let mut buckets = 0;
        self.entries.extend(checks.map(|check| {
            let check = check?;
            buckets += check.bucket_keys.len();
            Ok(Entry { cached: cached(&check), check })
        }));
        buckets
    }

    /// Sends the checks that the cache does not answer. Returns every check with its decisions, in
    /// the order of the requests.
    pub(super) async fn decide(
        self,
        store: &MeteredStore,
    ) -> impl Iterator<Item = Result<DecidedCheck<'r>, LimiterError>> {
        let mut single = Vec::with_capacity(self.entries.len());
        let mut joint = Vec::new();
        for Entry { check, cached } in self.entries.iter().flatten() {
            match check.bucket_request() {
                _ if cached.is_some() => {}
                Some(request) => single.push(request),
                None => joint.push(check),
            }
        }
        // Both kinds are sent before either is awaited.
        let (single, joint) = join(store.check_each(&single), store.check_all_each(&joint)).await;

        let (mut single, mut joint) = (single.into_iter(), joint.into_iter());
        self.entries.into_iter().map(move |entry| {
            let Entry { check, cached } = entry?;
            if let Some(decisions) = cached {
                return Ok(DecidedCheck::Cached(check, decisions));
            }
            let decisions = match check.bucket_request() {
                Some(_) => single.next().map(|it| it.map(|decision| smallvec![decision])),
                None => joint.next(),
            };
            // The store decides every check it is sent.
            Ok(DecidedCheck::Sent(check, decisions.ok_or(LimiterError::Unconfirmed)?))
        })
    }
}
