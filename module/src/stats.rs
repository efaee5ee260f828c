//! The counters of `INFO rl`, since the module was loaded.

use std::sync::atomic::{AtomicU64, Ordering};

use rl_bucket::Decision;

use crate::error::CommandError;

/// A counter that only the server's main thread writes.
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

/// Counts a failed command, or a failed check of `RL.MCHECK`.
pub(crate) fn count_error(error: CommandError) {
    match error {
        CommandError::Arity | CommandError::TooMany | CommandError::Invalid(_) => {
            ERRORS_ARGUMENT.bump();
        }
        CommandError::WrongType => ERRORS_WRONG_TYPE.bump(),
        CommandError::Internal => ERRORS_INTERNAL.bump(),
    }
}

/// Every counter under its name in `INFO rl`.
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
    /// Without a locked instruction: there is only one writer.
    #[inline]
    fn bump(&self) {
        self.0.store(self.get().wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
