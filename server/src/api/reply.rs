//! The answer to a question, as JSON.

use std::ops::Not;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    },
    web::{Bytes, BytesMut},
};
use rl_bucket::Decision;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    headers,
    text::{end, number},
};
use crate::limiter::CheckResult;

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
    pub(super) fn new(answer: &'a CheckResult, granted: Option<u64>) -> Self {
        let allowed = answer.is_allowed();
        let deciding = answer.deciding();
        Self {
            granted,
            allowed,
            limit: deciding.limit,
            remaining: deciding.remaining,
            // Whoever is let through need not wait.
            retry_after_ms: if allowed { Some(0) } else { deciding.retry_after_ms() },
            reset_after_ms: deciding.reset_after_ms,
            degraded: answer.degraded,
            would_deny: answer.policy.shadow.then(|| answer.is_denied()),
            limits: answer.policy.has_named_limits().then(|| {
                let each = answer.limits.iter().zip(answer.decisions.iter());
                each.map(|(limit, decision)| LimitReply::new(&limit.name, decision)).collect()
            }),
        }
    }

    /// Appends it as the JSON that serde makes of it.
    pub(super) fn write(&self, text: &mut BytesMut) {
        text.extend_from_slice(b"{");
        if let Some(granted) = self.granted {
            text.extend_from_slice(b"\"granted\":");
            number(text, granted);
            text.extend_from_slice(b",");
        }
        let &Self { allowed, limit, remaining, retry_after_ms, reset_after_ms, .. } = self;
        numbers(text, allowed, limit, remaining, retry_after_ms, reset_after_ms);
        if self.degraded {
            text.extend_from_slice(b",\"degraded\":true");
        }
        match self.would_deny {
            Some(true) => text.extend_from_slice(b",\"would_deny\":true"),
            Some(false) => text.extend_from_slice(b",\"would_deny\":false"),
            None => {}
        }
        if let Some(limits) = &self.limits {
            text.extend_from_slice(b",\"limits\":[");
            for (at, limit) in limits.iter().enumerate() {
                limit.write(text, at);
            }
            text.extend_from_slice(b"]");
        }
        text.extend_from_slice(b"}");
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

    fn write(&self, text: &mut BytesMut, at: usize) {
        text.extend_from_slice(if at == 0 { b"{\"name\":\"" } else { b",{\"name\":\"" });
        text.extend_from_slice(self.name.as_bytes()); // of letters, digits, '.', '_' and '-'
        text.extend_from_slice(b"\",");
        let &Self { allowed, limit, remaining, retry_after_ms, reset_after_ms, .. } = self;
        numbers(text, allowed, limit, remaining, retry_after_ms, reset_after_ms);
        text.extend_from_slice(b"}");
    }
}

/// The fields of every decision.
fn numbers(
    text: &mut BytesMut,
    allowed: bool,
    limit: u64,
    remaining: i64,
    retry_after_ms: Option<u64>,
    reset_after_ms: u64,
) {
    text.extend_from_slice(if allowed {
        b"\"allowed\":true,\"limit\":"
    } else {
        b"\"allowed\":false,\"limit\":"
    });
    number(text, limit);
    text.extend_from_slice(b",\"remaining\":");
    number(text, remaining);
    text.extend_from_slice(b",\"retry_after_ms\":");
    match retry_after_ms {
        Some(ms) => number(text, ms),
        None => text.extend_from_slice(b"null"),
    }
    text.extend_from_slice(b",\"reset_after_ms\":");
    number(text, reset_after_ms);
}

/// A response that says it all: headers and JSON.
pub(super) fn respond(
    status: StatusCode,
    answer: &CheckResult,
    granted: Option<u64>,
) -> HttpResponse {
    let mut text = BytesMut::with_capacity(256);
    Reply::new(answer, granted).write(&mut text);
    let mut response = written(status, end(&mut text));
    headers::insert(response.headers_mut(), &mut text, answer);
    response
}

/// A response of JSON that is already written.
pub(super) fn written(status: StatusCode, json: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(status, BoxBody::new(json));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer is good for one moment only.
pub(super) fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

#[cfg(test)]
mod tests {
    use super::{BytesMut, LimitReply, Reply};

    #[test]
    fn written_as_serde_writes_it() {
        let numbers =
            [(0, 0, Some(0), 0), (1, -1, None, 9), (u64::MAX, i64::MIN, Some(u64::MAX), 10)];
        for at in 0..3 * 2 * 3 * 2 * 3 * 3 {
            let (limit, remaining, retry_after_ms, reset_after_ms) = numbers[at % 3];
            let allowed = at / 3 % 2 == 0;
            let one = |name| LimitReply {
                name,
                allowed,
                limit,
                remaining,
                retry_after_ms,
                reset_after_ms,
            };
            let reply = Reply {
                granted: [None, Some(0), Some(u64::MAX)][at / 6 % 3],
                allowed,
                limit,
                remaining,
                retry_after_ms,
                reset_after_ms,
                degraded: at / 18 % 2 == 0,
                would_deny: [None, Some(false), Some(true)][at / 36 % 3],
                limits: [None, Some(vec![one("a-1")]), Some(vec![one("B.c"), one("_")])]
                    [at / 108 % 3]
                    .take(),
            };
            let mut text = BytesMut::new();
            reply.write(&mut text);
            assert_eq!(text, serde_json::to_string(&reply).unwrap());
        }
    }
}
