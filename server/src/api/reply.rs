//! The answer to a question, as JSON.

use std::ops::Not;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::CACHE_CONTROL},
};
use rl_bucket::{Decision, Outcome};
use serde::Serialize;

use super::headers;
use crate::limiter::Answer;

/// What a check and its family answer.
#[derive(Serialize)]
pub(super) struct Reply<'a> {
    /// Of `/take`: how many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<u64>,
    allowed: bool,
    limit: u64,
    remaining: i64,
    /// `null` for never.
    retry_after_ms: Option<u64>,
    reset_after_ms: u64,
    /// Decided without Redis.
    #[serde(skip_serializing_if = "<&bool>::not")]
    degraded: bool,
    /// Of a policy in shadow mode: whether it would have denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_deny: Option<bool>,
    /// Of a policy with named limits: each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Vec<LimitReply<'a>>>,
}

/// What one of several limits says for itself.
#[derive(Serialize)]
pub(super) struct LimitReply<'a> {
    name: &'a str,
    allowed: bool,
    limit: u64,
    remaining: i64,
    /// `null` for never.
    retry_after_ms: Option<u64>,
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
            retry_after_ms: if allowed { Some(0) } else { retry_after_ms(speaking) },
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
            retry_after_ms: retry_after_ms(decision),
            reset_after_ms: decision.reset_after_ms,
        }
    }
}

fn retry_after_ms(decision: &Decision) -> Option<u64> {
    match decision.outcome {
        Outcome::Allowed => Some(0),
        Outcome::NotYet { retry_after_ms } => Some(retry_after_ms),
        Outcome::Never => None,
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
