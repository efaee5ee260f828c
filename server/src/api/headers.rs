//! `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! The first two are structured fields (RFC 9651) as in draft-ietf-httpapi-ratelimit-headers-11:
//! lists of limits by name. `RateLimit-Policy` has the quota `q` and the window `w` in which it
//! refills, here the seconds in which an empty bucket fills. `RateLimit` has the remaining quota
//! `r` and the seconds `t` for which it holds.

use actix_web::{
    http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    web::Bytes,
};
use rl_bucket::{Decision, Limit, Outcome};

use super::text;
use crate::{
    limiter::CheckResult,
    policy::{Limits, NamedLimit},
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The greatest Integer of RFC 9651.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// Inserts the headers of a check: of its limits, and of the texts that [`write_state`] and
/// [`write_wait`] wrote.
pub(super) fn insert(headers: &mut HeaderMap, limits: &Limits, state: Bytes, wait: Bytes) {
    headers.insert(POLICY, limits.header(|| policies(limits)));
    headers.insert(STATE, value(state));
    if !wait.is_empty() {
        headers.insert(RETRY_AFTER, value(wait));
    }
}

/// Writes `RateLimit`.
pub(super) fn write_state(text: &mut Vec<u8>, result: &CheckResult) {
    states(text, &result.limits, &result.decisions);
}

/// Writes `Retry-After`: nothing if the check is allowed, or never will be.
pub(super) fn write_wait(text: &mut Vec<u8>, result: &CheckResult) {
    if !result.is_allowed()
        && let Outcome::NotYet { retry_after_ms } = result.deciding().outcome
    {
        text::push_number(text, wait(retry_after_ms));
    }
}

/// A header of names and numbers. It is always valid: names have a restricted charset.
fn value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static(""))
}

fn policies(limits: &[NamedLimit]) -> HeaderValue {
    let mut text = Vec::with_capacity(32);
    for (index, NamedLimit { name, limit }) in limits.iter().enumerate() {
        push_item(&mut text, index, name);
        text.extend_from_slice(b";q=");
        // Of an Integer, 0 would say that nothing is ever allowed.
        text::push_number(&mut text, (limit.capacity().tokens() as u64).max(1));
        text.extend_from_slice(b";w=");
        text::push_number(&mut text, window(limit));
    }
    value(text.into())
}

fn states(text: &mut Vec<u8>, limits: &[NamedLimit], decisions: &[Decision]) {
    for (index, (limit, decision)) in limits.iter().zip(decisions).enumerate() {
        push_item(text, index, &limit.name);
        text.extend_from_slice(b";r=");
        text::push_number(text, decision.remaining.max(0));
        let until = match decision.outcome {
            Outcome::NotYet { retry_after_ms } => wait(retry_after_ms),
            _ => seconds(decision.reset_after_ms),
        };
        if until > 0 {
            text.extend_from_slice(b";t=");
            text::push_number(text, until);
        }
    }
}

/// Appends an item of a list: a string.
fn push_item(text: &mut Vec<u8>, index: usize, name: &str) {
    text.extend_from_slice(if index == 0 { b"\"" } else { b", \"" });
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\"");
}

/// The seconds in which an empty bucket fills.
fn window(limit: &Limit) -> u64 {
    let seconds = (limit.capacity().tokens() / limit.rate().per_second()).ceil();
    (seconds as u64).clamp(1, MAX_INTEGER)
}

/// The whole seconds of a wait, at least 1.
fn wait(ms: u64) -> u64 {
    seconds(ms).max(1)
}

/// Whole seconds, rounded up, so that a wait is never too short; at most `MAX_INTEGER`.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000).min(MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Decision, Limit, Outcome};

    use super::{MAX_INTEGER, policies, states, wait};
    use crate::policy::NamedLimit;

    #[test]
    fn waits_are_whole_seconds_within_bounds() {
        for (ms, seconds) in
            [(0, 1), (1, 1), (1000, 1), (1001, 2), (1_000_000_000_000_000_000, MAX_INTEGER)]
        {
            assert_eq!(wait(ms), seconds, "{ms}");
        }
    }

    #[test]
    fn headers_have_the_syntax_of_the_draft() {
        let limit = |name: &'static str, capacity, rate| NamedLimit {
            name: name.into(),
            limit: Limit::parse(capacity, rate).unwrap(),
        };
        let decision = |outcome, limit, remaining, reset_after_ms| Decision {
            outcome,
            limit,
            remaining,
            reset_after_ms,
        };
        let not_yet = |retry_after_ms| Outcome::NotYet { retry_after_ms };
        for (limits, decisions, policy, state) in [
            (
                vec![limit("default", "100", "100/m")],
                vec![decision(Outcome::Allowed, 100, 99, 600)],
                r#""default";q=100;w=60"#,
                r#""default";r=99;t=1"#,
            ),
            (
                vec![limit("default", "100", "100/m")],
                vec![decision(Outcome::Allowed, 100, 100, 0)],
                r#""default";q=100;w=60"#,
                r#""default";r=100"#,
            ),
            (
                vec![limit("burst", "20", "10/s"), limit("day", "10000", "10000/d")],
                vec![decision(not_yet(1), 20, 0, 2000), decision(Outcome::Allowed, 10000, 7, 1001)],
                r#""burst";q=20;w=2, "day";q=10000;w=86400"#,
                r#""burst";r=0;t=1, "day";r=7;t=2"#,
            ),
            (
                vec![limit("x", "1000000000", "0.000001")],
                vec![decision(Outcome::Never, 1_000_000_000, -3, 1_000_000_000_000_000_000)],
                r#""x";q=1000000000;w=999999999999999"#,
                r#""x";r=0;t=999999999999999"#,
            ),
            (
                vec![limit("x", "0.5", "1000")],
                vec![decision(not_yet(999_001), 0, 0, 1)],
                r#""x";q=1;w=1"#,
                r#""x";r=0;t=1000"#,
            ),
        ] {
            assert_eq!(policies(&limits), policy);
            let mut text = Vec::new();
            states(&mut text, &limits, &decisions);
            assert_eq!(text, state.as_bytes());
        }
    }
}
