//! `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! The first two are structured fields (RFC 9651) after draft-ietf-httpapi-ratelimit-headers-11: a list of
//! limits by name, with the quota `q` and the window `w` in which it refills, and with what remains `r` for the
//! next `t` seconds. A token bucket's window is the time in which an empty one fills.

use std::fmt::Write;

use actix_web::{
    HttpResponseBuilder,
    http::header::{HeaderName, HeaderValue, RETRY_AFTER},
};
use rl_bucket::{Decision, Outcome};

use crate::{limiter::Answer, policy::NamedLimit};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// The largest Integer of RFC 9651.
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// Adds what the answer says to a response.
pub(super) fn insert(response: &mut HttpResponseBuilder, answer: &Answer) {
    let (policy, state) = fields(&answer.limits, &answer.decisions);
    // Names are of a charset that a configuration is held to, the rest are numbers.
    for (name, text) in [(POLICY, policy), (STATE, state)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.insert_header((name, value));
        }
    }
    if !answer.is_allowed()
        && let Outcome::NotYet { retry_after_ms } = answer.speaking().outcome
    {
        response.insert_header((RETRY_AFTER, seconds(retry_after_ms).max(1)));
    }
}

fn fields(limits: &[NamedLimit], decisions: &[Decision]) -> (String, String) {
    let (mut policy, mut state) = (String::with_capacity(48), String::with_capacity(48));
    for (NamedLimit { name, limit }, decision) in limits.iter().zip(decisions) {
        let comma = if policy.is_empty() { "" } else { ", " };
        let window = (limit.capacity().tokens() / limit.rate().per_second()).ceil();
        let window = (window as u64).clamp(1, MAX_INTEGER);
        // Writing to a string does not fail.
        let _ = write!(policy, "{comma}\"{name}\";q={};w={window}", decision.limit);
        let _ = write!(state, "{comma}\"{name}\";r={}", decision.remaining.max(0));
        match decision.outcome {
            Outcome::NotYet { retry_after_ms } => {
                let _ = write!(state, ";t={}", seconds(retry_after_ms).clamp(1, MAX_INTEGER));
            }
            _ if decision.reset_after_ms > 0 => {
                let _ = write!(state, ";t={}", seconds(decision.reset_after_ms).min(MAX_INTEGER));
            }
            _ => {}
        }
    }
    (policy, state)
}

/// Whole seconds, rounded up: nobody is told to come too early.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Decision, Limit, Outcome};

    use super::fields;
    use crate::policy::NamedLimit;

    #[test]
    fn as_the_draft_writes_them() {
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
                r#""x";q=0;w=1"#,
                r#""x";r=0;t=1000"#,
            ),
        ] {
            assert_eq!(fields(&limits, &decisions), (policy.to_owned(), state.to_owned()));
        }
    }
}
