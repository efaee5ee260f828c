//! What a front answers to a check, read as strictly as it matters here; and the same made from what
//! Redis decided.

use rl_bucket::Decision;
use serde::{Deserialize, Serialize};

/// An answer. Fields that this client does not know are passed over.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Answer {
    /// Of the limit that speaks for all.
    #[serde(flatten)]
    pub(super) five: Five,
    /// Decided without Redis.
    #[serde(default)]
    pub(super) degraded: bool,
    /// Allowed only because the policy is in shadow mode.
    #[serde(default)]
    pub(super) would_deny: bool,
    /// Each of several limits.
    #[serde(default)]
    pub(super) limits: Vec<Named>,
}

/// One of several limits.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) five: Five,
}

/// The five fields of every answer.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Five {
    pub(super) allowed: bool,
    pub(super) limit: u64,
    pub(super) remaining: i64,
    /// `null` for never. It must be there all the same.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) retry_after_ms: Option<u64>,
    pub(super) reset_after_ms: u64,
}

// === impl Answer ===

impl Answer {
    pub(super) fn allowed(&self) -> bool {
        self.five.allowed
    }
}

// === impl Five ===

impl From<Decision> for Five {
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

    use super::{Answer, Five};

    #[test]
    fn a_decision_is_written_as_a_front_writes_it() {
        for (outcome, allowed, retry) in [
            (Outcome::Allowed, "true", "0"),
            (Outcome::NotYet { retry_after_ms: 7 }, "false", "7"),
            (Outcome::Never, "false", "null"),
        ] {
            let decision = Decision { outcome, limit: 10, remaining: -3, reset_after_ms: 99 };
            let json = format!(
                r#"{{"allowed":{allowed},"limit":10,"remaining":-3,"retry_after_ms":{retry},"reset_after_ms":99}}"#
            );
            let five = Five::from(decision);
            assert_eq!(serde_json::to_string(&five).unwrap(), json);
            assert_eq!(serde_json::from_str::<Answer>(&json).unwrap().five, five);
        }
    }

    #[test]
    fn what_is_no_answer() {
        for json in [
            "",
            "null",
            "{}",
            "<html>",
            r#"{"allowed":true}"#,
            r#"{"allowed":true,"limit":10,"remaining":9,"reset_after_ms":6}"#,
            r#"{"allowed":1,"limit":10,"remaining":9,"retry_after_ms":0,"reset_after_ms":6}"#,
            r#"{"allowed":true,"limit":10,"remaining":9,"retry_after_ms":-1,"reset_after_ms":6}"#,
            r#"{"allowed":true,"limit":10,"remaining":9,"retry_after_ms":0,"reset_after_ms":6,"limits":[{}]}"#,
        ] {
            assert!(serde_json::from_str::<Answer>(json).is_err(), "{json}");
        }
    }
}
