//! The answer to a check request.

use std::{cmp::Reverse, sync::Arc};

use rl_bucket::{Decision, Outcome};
use rl_store::Decisions;

use super::active::ActivePolicy;
use crate::policy::Limits;

/// Decisions for a check request, and the limits they were made under.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// The policy of the limits.
    pub policy: Arc<ActivePolicy>,
    /// The limits, in the order of the policy.
    pub limits: Limits,
    /// One decision for each limit.
    pub decisions: Decisions,
    /// Whether they were made without Redis, and so hold for this front alone.
    pub is_degraded: bool,
}

// === impl CheckResult ===

impl CheckResult {
    /// Whether the caller may proceed: every limit allows it, or the policy is in shadow mode.
    pub fn is_allowed(&self) -> bool {
        self.policy.is_shadow || !self.is_denied()
    }

    /// Whether a limit denies.
    pub fn is_denied(&self) -> bool {
        !self.deciding().is_allowed()
    }

    /// The decision of the deciding limit: the longest wait of those that deny, or else the fewest
    /// tokens left.
    pub fn deciding(&self) -> &Decision {
        let mut deciding = &self.decisions[0];
        for decision in &self.decisions[1..] {
            if weight(decision) > weight(deciding) {
                deciding = decision;
            }
        }
        deciding
    }
}

/// Orders decisions; the deciding one is the greatest.
fn weight(decision: &Decision) -> (u64, Reverse<i64>) {
    let wait = match decision.outcome {
        Outcome::Allowed => 0,
        Outcome::NotYet { retry_after_ms } => retry_after_ms.max(1),
        Outcome::Never => u64::MAX,
    };
    (wait, Reverse(decision.remaining))
}
