//! An end that comes also when a test fails.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says that it is over when it is dropped: also when the test has failed, so that nobody waits for more.
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
