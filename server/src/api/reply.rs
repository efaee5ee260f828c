//! The answer to a question, as JSON.

use std::ops::Not;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::CACHE_CONTROL},
};
use rl_bucket::Decision;
use serde::Serialize;
use utoipa::ToSchema;

use super::headers;
use crate::limiter::Answer;

/// What a check and its family answer. Under several limits the numbers are those of one: of the limit that
/// denied, the longest wait, or else of the limit with the least left.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct Reply<'a> {
    /// Of `/take` alone: how many tokens were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    granted: Option<u64>,
    /// Whether the key may go on.
    allowed: bool,
    /// The capacity, in whole tokens.
    limit: u64,
    /// Whole tokens left, rounded down; below 0 in debt.
    remaining: i64,
    /// Milliseconds until the same would be allowed: 0 if it was, null if it never will be.
    #[schema(required = true)]
    retry_after_ms: Option<u64>,
    /// Milliseconds until the bucket is full.
    reset_after_ms: u64,
    /// Only if true: decided without Redis, as the policy says.
    #[serde(skip_serializing_if = "<&bool>::not")]
    degraded: bool,
    /// Only of a policy in shadow mode, which lets all through: whether it would have denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    would_deny: Option<bool>,
    /// Only of a policy with named limits: each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limits: Option<Vec<LimitReply<'a>>>,
}

/// What one of several limits says for itself.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitDecision)]
pub(super) struct LimitReply<'a> {
    /// As the policy file has it.
    name: &'a str,
    /// Whether this limit alone would let the key go on.
    allowed: bool,
    /// The capacity, in whole tokens.
    limit: u64,
    /// Whole tokens left, rounded down; below 0 in debt.
    remaining: i64,
    /// Milliseconds until this limit would allow the same: 0 if it did, null if it never will.
    #[schema(required = true)]
    retry_after_ms: Option<u64>,
    /// Milliseconds until the bucket is full.
    reset_after_ms: u64,
}

// === impl Reply ===

impl<'a> Reply<'a> {
    pub(super) fn new(answer: &'a Answer, granted: Option<u64>) -> Self {
        let allowed = answer.is_allowed();
        let speaking = answer.speaking();
        Self {
            granted,
            allowed,
            limit: speaking.limit,
            remaining: speaking.remaining,
            // Whoever is let through need not wait.
            retry_after_ms: if allowed { Some(0) } else { speaking.retry_after_ms() },
            reset_after_ms: speaking.reset_after_ms,
            degraded: answer.degraded,
            would_deny: answer.policy.shadow.then(|| answer.is_denied()),
            limits: answer.policy.has_named_limits().then(|| {
                let each = answer.limits.iter().zip(answer.decisions.iter());
                each.map(|(limit, decision)| LimitReply::new(&limit.name, decision)).collect()
            }),
        }
    }
}

impl<'a> LimitReply<'a> {
    fn new(name: &'a str, decision: &Decision) -> Self {
        Self {
            name,
            allowed: decision.is_allowed(),
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms(),
            reset_after_ms: decision.reset_after_ms,
        }
    }
}

/// A response that says it all: headers and JSON.
pub(super) fn respond(status: StatusCode, answer: &Answer, granted: Option<u64>) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    headers::insert(&mut response, answer);
    json(&mut response, &Reply::new(answer, granted))
}

/// An answer is good for one moment only.
pub(super) fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store")).json(body)
}
