//! Measures stalls of the machine itself, during which no server can answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that sleeps for short intervals and records by how much it overslept.
pub(crate) struct StallMeter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Stalls>,
}

/// Stalls, by their beginning and end, on the clock of the load.
#[derive(Debug, Default)]
pub(crate) struct Stalls(Vec<(Duration, Duration)>);

const INTERVAL: Duration = Duration::from_millis(10);

// === impl StallMeter ===

impl StallMeter {
    /// Starts measuring at this time on the clock of the load.
    pub(crate) fn start(now: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, started) = (Arc::clone(&stop), Instant::now());
        let thread = thread::spawn(move || {
            let mut stalls = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let start = now + started.elapsed();
                thread::sleep(INTERVAL);
                stalls.push((start + INTERVAL, now + started.elapsed()));
            }
            Stalls(stalls)
        });
        Self { stop, thread }
    }

    /// Stops the thread and returns the stalls.
    pub(crate) fn stop(self) -> Stalls {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("a thread that only sleeps")
    }
}

// === impl Stalls ===

impl Stalls {
    /// The longest stall.
    pub(crate) fn longest(&self) -> Duration {
        self.0.iter().map(|(from, to)| to.saturating_sub(*from)).max().unwrap_or_default()
    }

    /// The time between these two for which the machine was stalled.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Duration {
        let overlap =
            |stall: &(Duration, Duration)| stall.1.min(to).saturating_sub(stall.0.max(from));
        self.0.iter().map(overlap).sum()
    }
}
