//! What `INFO rl` counts, since the module was loaded.

use std::sync::atomic::{AtomicU64, Ordering};

use rl_bucket::Decision;

use crate::error::Error;

/// A count that only the server's main thread writes.
struct Counter(AtomicU64);

static ALLOWED: Counter = Counter(AtomicU64::new(0));
static DENIED: Counter = Counter(AtomicU64::new(0));
static ERRORS_ARGUMENT: Counter = Counter(AtomicU64::new(0));
static ERRORS_WRONG_TYPE: Counter = Counter(AtomicU64::new(0));
static ERRORS_INTERNAL: Counter = Counter(AtomicU64::new(0));

/// Counts a decision that could have taken tokens.
#[inline]
pub(crate) fn count(decision: &Decision) {
    if decision.is_allowed() { ALLOWED.bump() } else { DENIED.bump() }
}

/// Counts a refusal.
pub(crate) fn count_error(error: Error) {
    match error {
        Error::Arity | Error::TooMany | Error::Invalid(_) => ERRORS_ARGUMENT.bump(),
        Error::WrongType => ERRORS_WRONG_TYPE.bump(),
        Error::Internal => ERRORS_INTERNAL.bump(),
    }
}

/// Every count under its name in `INFO rl`.
pub(crate) fn all() -> [(&'static std::ffi::CStr, u64); 6] {
    let (allowed, denied) = (ALLOWED.get(), DENIED.get());
    [
        (c"checks", allowed.wrapping_add(denied)),
        (c"allowed", allowed),
        (c"denied", denied),
        (c"errors_argument", ERRORS_ARGUMENT.get()),
        (c"errors_wrongtype", ERRORS_WRONG_TYPE.get()),
        (c"errors_internal", ERRORS_INTERNAL.get()),
    ]
}

// === impl Counter ===

impl Counter {
    /// No locked instruction: nobody else writes.
    #[inline]
    fn bump(&self) {
        self.0.store(self.get().wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
