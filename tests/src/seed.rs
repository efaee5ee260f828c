//! Reproducible randomness.

use std::env;
use std::thread;

use fastrand::Rng;

/// The seed of a test's random numbers: random, or the value of the environment variable `RL_SEED`.
/// A test that fails prints its seed.
pub struct Seed(u64);

// === impl Seed ===

impl Seed {
    /// Draws a new seed each time, unless `RL_SEED` is set.
    pub fn new() -> Self {
        let given = env::var("RL_SEED").ok();
        Self(
            given
                .map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("RL_SEED: a number")),
        )
    }

    /// A generator for one of the threads that share this seed.
    pub fn rng(&self, thread: usize) -> Rng {
        Rng::with_seed(self.0 ^ (thread as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- to repeat: RL_SEED={} ---", self.0);
        }
    }
}
