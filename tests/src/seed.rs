//! Chance that can be had again.

use std::env;
use std::thread;

use fastrand::Rng;

/// Where a test's chance begins: at random, or where the environment variable `RL_SEED` says. A test that
/// fails says where it was.
pub struct Seed(u64);

// === impl Seed ===

impl Seed {
    /// Another one each time, unless `RL_SEED` is set.
    pub fn new() -> Self {
        let given = env::var("RL_SEED").ok();
        Self(
            given
                .map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("RL_SEED: a number")),
        )
    }

    /// The chance of one of those that share this seed.
    pub fn rng(&self, of: usize) -> Rng {
        Rng::with_seed(self.0 ^ (of as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
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
            eprintln!("--- the same again: RL_SEED={} ---", self.0);
        }
    }
}
