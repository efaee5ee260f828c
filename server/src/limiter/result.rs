//! What the caller is told.

use std::{cmp::Reverse, sync::Arc};

use rl_bucket::{Cost, Decision, Limit, Outcome};
use rl_store::Decisions;

use super::active::ActivePolicy;
use crate::policy::Limits;

/// The decisions on one question, and what they were made under.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// Whose limits they are.
    pub policy: Arc<ActivePolicy>,
    /// The limits, in the order of the policy.
    pub limits: Limits,
    /// One for each limit.
    pub decisions: Decisions,
    /// Whether they were made without Redis, so that they hold for this front alone.
    pub is_degraded: bool,
}

/// How soon to ask again when a policy denies for want of Redis: about when that may be back.
const CLOSED_RETRY_MS: u64 = 1000;

// === impl CheckResult ===

impl CheckResult {
    /// Whether the caller may go on: every limit allows, or the policy only watches.
    pub fn is_allowed(&self) -> bool {
        self.policy.is_shadow || !self.is_denied()
    }

    /// Whether a limit denies.
    pub fn is_denied(&self) -> bool {
        !self.deciding().is_allowed()
    }

    /// The decision that speaks for all: of those that deny the one with the longest wait, or else the
    /// one with the least left.
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

/// What speaks louder is more.
fn weight(decision: &Decision) -> (u64, Reverse<i64>) {
    let wait = match decision.outcome {
        Outcome::Allowed => 0,
        Outcome::NotYet { retry_after_ms } => retry_after_ms.max(1),
        Outcome::Never => u64::MAX,
    };
    (wait, Reverse(decision.remaining))
}

// === decisions without a bucket ===

/// Allowed, as by a bucket that nothing was taken from.
pub(super) fn open(limit: &Limit) -> Decision {
    let remaining = whole_tokens(limit.capacity().tokens());
    Decision {
        outcome: Outcome::Allowed,
        limit: remaining,
        remaining: i64::try_from(remaining).unwrap_or(i64::MAX),
        reset_after_ms: 0,
    }
}

/// Denied, as by an empty bucket.
pub(super) fn closed(limit: &Limit) -> Decision {
    Decision {
        outcome: Outcome::NotYet { retry_after_ms: CLOSED_RETRY_MS },
        limit: whole_tokens(limit.capacity().tokens()),
        remaining: 0,
        reset_after_ms: CLOSED_RETRY_MS,
    }
}

/// The whole tokens in an amount.
pub(super) fn whole(amount: Cost) -> u64 {
    whole_tokens(amount.tokens())
}

/// Amounts are at least 0 and at most 1e9.
fn whole_tokens(tokens: f64) -> u64 {
    tokens as u64
}
