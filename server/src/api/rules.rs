//! Rules for the fields and parameters of a request. A 422 states the rule that is broken.
//!
//! The rules for numbers are those of [`rl_bucket::Invalid`].

use super::problem::Problem;

// === bodies ===

pub(super) const NOT_A_CHECK: Problem = Problem::Invalid("a check must be a JSON object");
pub(super) const NOT_A_BATCH: Problem = Problem::Invalid(
    "a batch must be a JSON object with one field, checks: an array of at most 1000 checks",
);
pub(super) const UNKNOWN_FIELD: Problem =
    Problem::Invalid("unknown field: the fields are key, policy, cost, capacity and rate");
pub(super) const REPEATED_FIELD: Problem = Problem::Invalid("a field must not be repeated");
pub(super) const POLICY: Problem = Problem::Invalid("policy must be a string");
pub(super) const COST_OF_RESET: Problem =
    Problem::Invalid("cost must not be given: a reset has no amount");

// === bodies and queries ===

pub(super) const KEY: Problem = Problem::Invalid("key must be a string of 1 to 1024 bytes");
pub(super) const INCOMPLETE_LIMIT: Problem =
    Problem::Invalid("capacity and rate must be given together");
pub(super) const POLICY_AND_LIMIT: Problem =
    Problem::Invalid("policy must not be combined with capacity and rate");

// === queries ===

pub(super) const UNKNOWN_PARAMETER: Problem = Problem::Invalid(
    "unknown parameter: the parameters are key, key_header, policy, cost, capacity, rate, \
     deny_status and uri",
);
pub(super) const REPEATED_PARAMETER: Problem = Problem::Invalid("a parameter must not be repeated");
pub(super) const ENCODING: Problem = Problem::Invalid("parameters must be percent-encoded UTF-8");
pub(super) const ONE_KEY: Problem =
    Problem::Invalid("exactly one of key and key_header must be given");
pub(super) const KEY_HEADER: Problem = Problem::Invalid(
    "key_header must name a header that occurs once and holds 1 to 1024 bytes of UTF-8",
);
pub(super) const CREDENTIALS: Problem = Problem::Invalid(
    "key_header must not name Authorization, Cookie or Proxy-Authorization unless the front has a \
     --key-secret-file, since keys are stored and listed",
);
pub(super) const DENY_STATUS: Problem = Problem::Invalid("deny_status must be 403 or 429");
pub(super) const TOP: Problem =
    Problem::Invalid("top must be a number from 1 to 256, and the only parameter");
