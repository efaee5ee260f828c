//! How long the machine itself stood still: nobody can answer meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that asks for a short rest again and again, and notes the longest it got.
pub(crate) struct Pulse {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

const REST: Duration = Duration::from_millis(10);

// === impl Pulse ===

impl Pulse {
    pub(crate) fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !seen.load(Ordering::Relaxed) {
                let began = Instant::now();
                thread::sleep(REST);
                longest = longest.max(began.elapsed().saturating_sub(REST));
            }
            longest
        });
        Self { over, thread }
    }

    /// The longest that a rest took too long.
    pub(crate) fn stop(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that only sleeps")
    }
}
