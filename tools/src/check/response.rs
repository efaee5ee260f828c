//! The answer of a check: of a front, or made from a decision of Redis.

use rl_bucket::Decision;
use serde::{Deserialize, Serialize};

/// The JSON of `/check` and `/peek`. Unknown fields are ignored.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct CheckResponse {
    /// The decision for the whole check, which is that of the deciding limit.
    #[serde(flatten)]
    pub(super) decision: DecisionJson,
    /// Decided without Redis.
    #[serde(default)]
    pub(super) degraded: bool,
    /// Allowed only because the policy is in shadow mode.
    #[serde(default)]
    pub(super) would_deny: bool,
    /// A decision for each limit, if the policy has several.
    #[serde(default)]
    pub(super) limits: Vec<LimitDecision>,
}

/// The decision for one of several limits.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct LimitDecision {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) decision: DecisionJson,
}

/// The five fields of a decision, as a front writes them.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct DecisionJson {
    pub(super) allowed: bool,
    pub(super) limit: u64,
    pub(super) remaining: i64,
    /// `null` for never; required all the same.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) retry_after_ms: Option<u64>,
    pub(super) reset_after_ms: u64,
}

// === impl DecisionJson ===

impl From<Decision> for DecisionJson {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.is_allowed(),
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms(),
            reset_after_ms: decision.reset_after_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Decision, Outcome};

    use super::{CheckResponse, DecisionJson};

    const ALLOWED: &str =
        r#"{"allowed":true,"limit":10,"remaining":9,"retry_after_ms":0,"reset_after_ms":6}"#;

    #[test]
    fn decisions_are_written_as_a_front_writes_them() {
        for (outcome, allowed, retry) in [
            (Outcome::Allowed, "true", "0"),
            (Outcome::NotYet { retry_after_ms: 7 }, "false", "7"),
            (Outcome::Never, "false", "null"),
        ] {
            let decision = Decision { outcome, limit: 10, remaining: -3, reset_after_ms: 99 };
            let json = format!(
                "{{\"allowed\":{allowed},\"limit\":10,\"remaining\":-3,\
                 \"retry_after_ms\":{retry},\"reset_after_ms\":99}}"
            );
            let decision = DecisionJson::from(decision);
            assert_eq!(serde_json::to_string(&decision).unwrap(), json);
            assert_eq!(serde_json::from_str::<CheckResponse>(&json).unwrap().decision, decision);
        }
    }

    #[test]
    fn incomplete_answers_are_refused() {
        assert!(serde_json::from_str::<CheckResponse>(ALLOWED).is_ok());
        let without_limit_name = ALLOWED.replace('}', r#","limits":[{}]}"#);
        for json in [
            "",
            "null",
            "{}",
            "<html>",
            r#"{"allowed":true}"#,
            &ALLOWED.replace(r#""retry_after_ms":0,"#, ""),
            &ALLOWED.replace("true", "1"),
            &ALLOWED.replace(r#""retry_after_ms":0"#, r#""retry_after_ms":-1"#),
            &without_limit_name,
        ] {
            assert!(serde_json::from_str::<CheckResponse>(json).is_err(), "{json}");
        }
    }
}
