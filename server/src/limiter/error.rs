//! Requests that get no answer.

use rl_store::StoreError;

/// Why the limiter has no answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimiterError {
    /// No policy has the given name.
    UnknownPolicy,
    /// The policy file does not permit inline limits.
    InlineForbidden,
    /// The policy is by IP address, and the key is not one.
    NotAnAddress,
    /// The normalised key lacks the prefix that the caller's token requires.
    OutsidePrefix,
    /// The policy has several limits, and the operation works with one.
    SeveralLimits,
    /// The change was not made: nothing was sent to the store.
    NotChanged,
    /// The store did not say whether it made the change.
    Unconfirmed,
}

// === impl LimiterError ===

impl LimiterError {
    /// The error of a change that the store did not confirm.
    pub(super) fn of_change(error: StoreError) -> Self {
        match error {
            StoreError::Down | StoreError::Shed => Self::NotChanged,
            StoreError::Late | StoreError::Failed => Self::Unconfirmed,
        }
    }
}
