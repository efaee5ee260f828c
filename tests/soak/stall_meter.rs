//! Measures stalls of the machine itself, during which no server can answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that sleeps for short intervals and records the longest oversleep.
pub(crate) struct StallMeter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

const INTERVAL: Duration = Duration::from_millis(10);

// === impl StallMeter ===

impl StallMeter {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(INTERVAL);
                longest = longest.max(start.elapsed().saturating_sub(INTERVAL));
            }
            longest
        });
        Self { stop, thread }
    }

    /// Stops the thread and returns the longest stall.
    pub(crate) fn stop(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that only sleeps")
    }
}
