//! Decisions without Redis, as the policy's `on_error` says.

use rl_bucket::{Cost, Decision, Limit, Op, Outcome};
use rl_store::{BucketRequest, Decisions, memory::MemoryStore, now};

use super::resolve::ResolvedCheck;
use crate::policy::OnError;

/// The wait reported by a policy that denies without Redis: about the time until Redis may be back.
const CLOSED_RETRY_MS: u64 = 1000;

/// Decides a check or a peek. `local` holds the buckets of this front.
pub(super) fn decide(check: &ResolvedCheck<'_>, op: Op, local: &MemoryStore) -> Decisions {
    let limits = check.limits.iter().map(|limit| &limit.limit);
    match check.policy.on_error {
        OnError::Local => check.apply_in(local, op),
        OnError::Open => limits.map(|limit| open(limit, check.cost)).collect(),
        OnError::Closed => limits.map(|limit| closed(limit, check.cost)).collect(),
    }
}

/// Decides a take. Returns the number of tokens taken, and the decision.
pub(super) fn take(
    on_error: OnError,
    request: &BucketRequest<'_>,
    local: &MemoryStore,
) -> (u64, Decision) {
    let limit = &request.limit;
    let wanted = whole_tokens(request.amount.tokens());
    // As a bucket decides: a take is for the first token, or for none.
    let first = if wanted == 0 { Cost::ZERO } else { Cost::ONE };
    match on_error {
        OnError::Local => local.take_with(request, now),
        OnError::Open => (wanted.min(whole_tokens(limit.capacity().tokens())), open(limit, first)),
        OnError::Closed => (0, closed(limit, first)),
    }
}

/// The decision of a full bucket that stays full.
fn open(limit: &Limit, cost: Cost) -> Decision {
    let remaining = whole_tokens(limit.capacity().tokens());
    Decision {
        outcome: unless_never(limit, cost, Outcome::Allowed),
        limit: remaining,
        remaining: i64::try_from(remaining).unwrap_or(i64::MAX),
        reset_after_ms: 0,
    }
}

/// The decision of an empty bucket.
fn closed(limit: &Limit, cost: Cost) -> Decision {
    Decision {
        outcome: unless_never(limit, cost, Outcome::NotYet { retry_after_ms: CLOSED_RETRY_MS }),
        limit: whole_tokens(limit.capacity().tokens()),
        remaining: 0,
        reset_after_ms: CLOSED_RETRY_MS,
    }
}

/// The outcome, unless no bucket under this limit ever holds the cost.
fn unless_never(limit: &Limit, cost: Cost, outcome: Outcome) -> Outcome {
    if cost.tokens() > limit.capacity().tokens() { Outcome::Never } else { outcome }
}

/// Rounds down; amounts are 0 to 1e9.
fn whole_tokens(tokens: f64) -> u64 {
    tokens as u64
}
