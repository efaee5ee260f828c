//! The token bucket of RL: no Redis, no HTTP, no clock, no I/O.
//!
//! A bucket holds at most `capacity` tokens and gains `rate` tokens a second. A check of `cost` is
//! allowed if the bucket holds that many, and then takes them. A missing bucket is full.
//!
//! The Redis module and the in-process store run this code, and the Lua scripts do the same
//! operations in the same order, so all three agree to the last bit. Every quantity is an IEEE
//! double, the only number that Lua 5.1 has.
//!
//! ```
//! use rl_bucket::{Cost, Level, Limit, Micros, Outcome};
//!
//! let limit = Limit::parse("2", "1/s").unwrap();
//! let now = Micros::new(1_700_000_000_000_000);
//!
//! let first = Level::at(None, &limit, now).check(Cost::ONE);
//! assert_eq!(first.decision.outcome, Outcome::Allowed);
//! assert_eq!(first.decision.remaining, 1);
//!
//! let two = Cost::parse(b"2").unwrap();
//! let second = Level::at(first.write, &limit, now).check(two);
//! assert_eq!(second.decision.outcome, Outcome::NotYet { retry_after_ms: 1000 });
//! assert!(second.write.is_none(), "a denied check writes nothing");
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod decimal;
mod decision;
mod invalid;
mod joint;
mod level;
mod limit;
mod op;
mod rate;
mod state;

pub use decision::{Decision, Outcome};
pub use invalid::{Invalid, Rule};
pub use joint::{JointCheck, JointWrite};
pub use level::{Level, Step};
pub use limit::{Capacity, Cost, Limit};
pub use op::Op;
pub use rate::Rate;
pub use state::{Bucket, Micros};

/// Tokens by which a check may be short and still be allowed.
///
/// Near 1e9 tokens, doubles are 1.2e-7 apart. A millionth of a token absorbs that rounding, so that
/// a check made at the promised moment is never denied. The shortfall stays in the bucket as a tiny
/// debt: nothing is gained over time.
pub const TOLERANCE: f64 = 1e-6;

/// The most checks in one call to a store. Redis runs one command at a time: a longer call would
/// hold up every other caller.
pub const MAX_CHECKS: usize = 1024;
