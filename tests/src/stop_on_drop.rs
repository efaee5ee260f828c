//! A stop flag that is set even when a test fails.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets a flag when it is dropped, so that other threads stop even if the test has failed.
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
