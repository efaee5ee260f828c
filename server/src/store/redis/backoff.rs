//! How long to wait before the next attempt to connect.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Doubling waits with jitter: fronts that lost the same Redis do not come back in step.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(1);

// === impl Backoff ===

impl Backoff {
    /// Starts over.
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// The next wait: between half a step and a step; steps double from 50 ms to 1 s.
    pub(super) fn next(&mut self) -> Duration {
        let step = self.0;
        self.0 = (step * 2).min(LAST);
        // Every RandomState has other keys: enough randomness for a jitter, without a crate for it.
        let jitter = RandomState::new().hash_one(()) % 1000;
        step / 2 + step * u32::try_from(jitter).unwrap_or(0) / 2000
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn grows_to_a_second() {
        let mut backoff = Backoff::new();
        for step in [50, 100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next().as_millis();
            assert!((step / 2..=step).contains(&wait), "{wait} of {step} ms");
        }
    }
}
