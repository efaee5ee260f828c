//! The keys of a benchmark, and the order in which they are checked.

use fastrand::Rng;

use super::zipf::Zipf;

/// Keys: a prefix and a number with leading zeros, all of one length.
///
/// With the same seed the n-th check has the same key in every run, whichever thread makes it.
#[derive(Clone, Debug)]
pub(super) struct KeySpace {
    prefix: String,
    count: u64,
    /// Digits in the number of a key.
    width: usize,
    seed: u64,
    /// `None` for a uniform distribution.
    zipf: Option<Zipf>,
}

/// The golden ratio of 2^64, an odd number without pattern: seeds of adjacent checks are far apart.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl KeySpace ===

impl KeySpace {
    /// `count` keys, at least one, of which the n-th is drawn n^-skew times as often as the first.
    pub(super) fn new(prefix: &str, count: u64, skew: f64, seed: u64) -> Self {
        Self {
            prefix: prefix.to_owned(),
            count,
            width: (count - 1).to_string().len(),
            seed: Rng::with_seed(seed).u64(..),
            zipf: (skew > 0.0).then(|| Zipf::new(count, skew)),
        }
    }

    /// The number of the key of the check with this number.
    pub(super) fn pick(&self, check: u64) -> u64 {
        let mut rng = Rng::with_seed(self.seed.wrapping_add(check.wrapping_mul(STRIDE)));
        match &self.zipf {
            Some(zipf) => zipf.draw(&mut rng) - 1,
            None => rng.u64(0..self.count),
        }
    }

    /// The key with this number.
    pub(super) fn key(&self, number: u64) -> String {
        format!("{}{number:0width$}", self.prefix, width = self.width)
    }

    /// Digits in the number of a key.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests {
    use super::KeySpace;

    #[test]
    fn keys_are_of_one_length() {
        for (count, number, key) in [
            (1, 0, "bench:0"),
            (10, 9, "bench:9"),
            (11, 9, "bench:09"),
            (100_000, 42, "bench:00042"),
            (1_000_000_000, 999_999_999, "bench:999999999"),
        ] {
            assert_eq!(KeySpace::new("bench:", count, 0.0, 1).key(number), key);
        }
    }

    #[test]
    fn draws_are_uniform_and_repeatable() {
        let keyspace = KeySpace::new("", 10, 0.0, 7);
        let mut counts = [0_u32; 10];
        for check in 0..100_000 {
            counts[keyspace.pick(check) as usize] += 1;
        }
        // Five standard deviations.
        assert!(counts.iter().all(|count| (9_526..=10_474).contains(count)), "{counts:?}");
        let draw = |seed, skew| {
            let keyspace = KeySpace::new("", 1000, skew, seed);
            (0..100).map(|check| keyspace.pick(check)).collect::<Vec<_>>()
        };
        for skew in [0.0, 1.0] {
            assert_eq!(draw(1, skew), draw(1, skew));
            assert_ne!(draw(1, skew), draw(2, skew));
        }
    }

    #[test]
    fn the_first_key_is_the_hottest() {
        let keyspace = KeySpace::new("", 1000, 1.0, 1);
        let mut counts = [0_u32; 1000];
        for check in 0..100_000 {
            counts[keyspace.pick(check) as usize] += 1;
        }
        // Shares of the harmonic series: its first 1000 terms sum to 7.4855.
        for (number, share) in [(0, 13_359), (1, 6_680), (9, 1_336)] {
            let count = counts[number];
            assert!(count.abs_diff(share) < share / 10 + 50, "{number}: {count}");
        }
    }
}
