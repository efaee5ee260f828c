//! The response to a check, as JSON and headers.

use std::ops::Not;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::BoxBody,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    },
    web::Bytes,
};
use rl_bucket::Decision;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    headers,
    sliced_body::{PIECE, SlicedBody},
    text,
};
use crate::limiter::CheckResult;

/// The decision on a check or another operation. If there are several limits, the numbers are those
/// of the deciding limit: the one with the longest wait or, if all allow, the one with the fewest
/// tokens left.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct CheckReply<'a> {
    /// Only for `/take`: the number of tokens taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    granted: Option<u64>,
    /// Whether to proceed.
    allowed: bool,
    /// The capacity, in whole tokens.
    limit: u64,
    /// Whole tokens left, rounded down; below 0 after a charge.
    remaining: i64,
    /// Milliseconds until the same check is allowed: 0 if it was, null if it never will be.
    #[schema(required = true)]
    retry_after_ms: Option<u64>,
    /// Milliseconds until the bucket is full.
    reset_after_ms: u64,
    /// Present only if true: decided without Redis, by the policy's `on_error`.
    #[serde(skip_serializing_if = "<&bool>::not")]
    degraded: bool,
    /// Only in shadow mode, which allows every check: whether the policy would have denied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    would_deny: Option<bool>,
    /// Only for a policy with named limits: each limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limits: Option<Vec<LimitReply<'a>>>,
}

/// The decision of one of several limits.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitDecision)]
pub(super) struct LimitReply<'a> {
    /// The name in the policy file.
    name: &'a str,
    /// Whether this limit alone would allow the check.
    allowed: bool,
    /// The capacity, in whole tokens.
    limit: u64,
    /// Whole tokens left, rounded down; below 0 after a charge.
    remaining: i64,
    /// Milliseconds until this limit allows the same check: 0 if it did, null if it never will.
    #[schema(required = true)]
    retry_after_ms: Option<u64>,
    /// Milliseconds until the bucket is full.
    reset_after_ms: u64,
}

/// The fields of every decision.
struct DecisionFields {
    allowed: bool,
    limit: u64,
    remaining: i64,
    retry_after_ms: Option<u64>,
    reset_after_ms: u64,
}

// === impl CheckReply ===

impl<'a> CheckReply<'a> {
    pub(super) fn new(result: &'a CheckResult, granted: Option<u64>) -> Self {
        let allowed = result.is_allowed();
        let deciding = result.deciding();
        Self {
            granted,
            allowed,
            limit: deciding.limit,
            remaining: deciding.remaining,
            // In shadow mode a limit may deny a check that is allowed.
            retry_after_ms: if allowed { Some(0) } else { deciding.retry_after_ms() },
            reset_after_ms: deciding.reset_after_ms,
            degraded: result.is_degraded,
            would_deny: result.policy.is_shadow.then(|| result.is_denied()),
            limits: result.policy.has_named_limits().then(|| {
                let pairs = result.limits.iter().zip(result.decisions.iter());
                pairs.map(|(limit, decision)| LimitReply::new(&limit.name, decision)).collect()
            }),
        }
    }

    /// Appends the JSON that serde would write.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(b"{");
        if let Some(granted) = self.granted {
            text.extend_from_slice(b"\"granted\":");
            text::push_number(text, granted);
            text.extend_from_slice(b",");
        }
        let &Self { allowed, limit, remaining, retry_after_ms, reset_after_ms, .. } = self;
        DecisionFields { allowed, limit, remaining, retry_after_ms, reset_after_ms }.write(text);
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
            for (index, limit) in limits.iter().enumerate() {
                if index > 0 {
                    text.extend_from_slice(b",");
                }
                limit.write(text);
            }
            text.extend_from_slice(b"]");
        }
        text.extend_from_slice(b"}");
    }
}

// === impl LimitReply ===

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

    fn write(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(b"{\"name\":\"");
        text.extend_from_slice(self.name.as_bytes()); // letters, digits, '.', '_' and '-' only
        text.extend_from_slice(b"\",");
        let &Self { allowed, limit, remaining, retry_after_ms, reset_after_ms, .. } = self;
        DecisionFields { allowed, limit, remaining, retry_after_ms, reset_after_ms }.write(text);
        text.extend_from_slice(b"}");
    }
}

// === impl DecisionFields ===

impl DecisionFields {
    fn write(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(if self.allowed {
            b"\"allowed\":true,\"limit\":"
        } else {
            b"\"allowed\":false,\"limit\":"
        });
        text::push_number(text, self.limit);
        text.extend_from_slice(b",\"remaining\":");
        text::push_number(text, self.remaining);
        text.extend_from_slice(b",\"retry_after_ms\":");
        match self.retry_after_ms {
            Some(ms) => text::push_number(text, ms),
            None => text.extend_from_slice(b"null"),
        }
        text.extend_from_slice(b",\"reset_after_ms\":");
        text::push_number(text, self.reset_after_ms);
    }
}

// === responses ===

/// The response to a check or another operation.
pub(super) fn respond(
    status: StatusCode,
    result: &CheckResult,
    granted: Option<u64>,
) -> HttpResponse {
    let mut text = Vec::with_capacity(256);
    CheckReply::new(result, granted).write(&mut text);
    let json_end = text.len();
    headers::write_state(&mut text, result);
    let state_end = text.len();
    headers::write_wait(&mut text, result);

    let mut json = Bytes::from(text);
    let wait = json.split_off(state_end);
    let state = json.split_off(json_end);
    let mut response = written_json(status, json);
    headers::insert(response.headers_mut(), &result.limits, state, wait);
    response
}

/// A response whose JSON is already written.
pub(super) fn written_json(status: StatusCode, json: Bytes) -> HttpResponse {
    let body =
        if json.len() > PIECE { BoxBody::new(SlicedBody::new(json)) } else { BoxBody::new(json) };
    let mut response = HttpResponse::with_body(status, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response that is not to be cached, since it holds only at this moment.
pub(super) fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store")).json(body)
}

#[cfg(test)]
mod tests {
    use super::{CheckReply, LimitReply};

    #[test]
    fn replies_are_written_as_serde_writes_them() {
        let numbers =
            [(0, 0, Some(0), 0), (1, -1, None, 9), (u64::MAX, i64::MIN, Some(u64::MAX), 10)];
        for index in 0..3 * 2 * 3 * 2 * 3 * 3 {
            let (limit, remaining, retry_after_ms, reset_after_ms) = numbers[index % 3];
            let allowed = index / 3 % 2 == 0;
            let limit_reply = |name| LimitReply {
                name,
                allowed,
                limit,
                remaining,
                retry_after_ms,
                reset_after_ms,
            };
            let reply = CheckReply {
                granted: [None, Some(0), Some(u64::MAX)][index / 6 % 3],
                allowed,
                limit,
                remaining,
                retry_after_ms,
                reset_after_ms,
                degraded: index / 18 % 2 == 0,
                would_deny: [None, Some(false), Some(true)][index / 36 % 3],
                limits: [
                    None,
                    Some(vec![limit_reply("a-1")]),
                    Some(vec![limit_reply("B.c"), limit_reply("_")]),
                ][index / 108 % 3]
                    .take(),
            };
            let mut text = Vec::new();
            reply.write(&mut text);
            assert_eq!(String::from_utf8(text).unwrap(), serde_json::to_string(&reply).unwrap());
        }
    }
}
