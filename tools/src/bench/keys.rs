//! Which key each check is about.

use fastrand::Rng;

use super::zipf::Zipf;

/// Keys: a prefix, then a number with leading zeros, so that all are of one length.
///
/// The n-th check is about the same key in every run with the same seed, whoever makes it.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    count: u64,
    width: usize,
    seed: u64,
    zipf: Option<Zipf>,
}

/// A text with holes for the numbers of keys. It is filled again for each request, in place: what is
/// sent costs no memory however many keys there are.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where each hole begins.
    holes: Vec<usize>,
    width: usize,
}

/// An odd number without pattern (of 2^64, the golden ratio): checks next to each other draw far apart.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Keys ===

impl Keys {
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

    /// The number of the key that a check is about.
    pub(super) fn pick(&self, check: u64) -> u64 {
        let mut chance = Rng::with_seed(self.seed.wrapping_add(check.wrapping_mul(STRIDE)));
        match &self.zipf {
            Some(zipf) => zipf.draw(&mut chance) - 1,
            None => chance.u64(0..self.count),
        }
    }

    /// The key of this number.
    pub(super) fn key(&self, number: u64) -> String {
        format!("{}{number:0width$}", self.prefix, width = self.width)
    }

    /// How many digits of a key are its number.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

// === impl Template ===

impl Template {
    /// `bytes` with holes of `width` that end where `ends` says, ascending.
    pub(super) fn new(bytes: Vec<u8>, ends: &[usize], width: usize) -> Self {
        Self { bytes, holes: ends.iter().map(|end| end - width).collect(), width }
    }

    /// Fills each hole with the next of these numbers.
    pub(super) fn fill(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for (hole, mut number) in self.holes.iter().zip(numbers) {
            for digit in self.bytes[*hole..hole + self.width].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Template};

    #[test]
    fn keys_are_of_one_length() {
        for (count, number, key) in [
            (1, 0, "bench:0"),
            (10, 9, "bench:9"),
            (11, 9, "bench:09"),
            (100_000, 42, "bench:00042"),
            (1_000_000_000, 999_999_999, "bench:999999999"),
        ] {
            assert_eq!(Keys::new("bench:", count, 0.0, 1).key(number), key);
        }
    }

    #[test]
    fn draws_are_even_and_repeatable() {
        let keys = Keys::new("", 10, 0.0, 7);
        let mut seen = [0_u32; 10];
        for check in 0..100_000 {
            seen[keys.pick(check) as usize] += 1;
        }
        // Five deviations.
        assert!(seen.iter().all(|count| (9_526..=10_474).contains(count)), "{seen:?}");
        let draw = |seed, skew| {
            let keys = Keys::new("", 1000, skew, seed);
            (0..100).map(|check| keys.pick(check)).collect::<Vec<_>>()
        };
        for skew in [0.0, 1.0] {
            assert_eq!(draw(1, skew), draw(1, skew));
            assert_ne!(draw(1, skew), draw(2, skew));
        }
    }

    #[test]
    fn the_first_key_is_the_hottest() {
        let keys = Keys::new("", 1000, 1.0, 1);
        let mut seen = [0_u32; 1000];
        for check in 0..100_000 {
            seen[keys.pick(check) as usize] += 1;
        }
        // Of the first 1000 terms of the harmonic series, whose sum is 7.4855, each its part.
        for (number, part) in [(0, 13_359), (1, 6_680), (9, 1_336)] {
            assert!(seen[number].abs_diff(part) < part / 10 + 50, "{number}: {}", seen[number]);
        }
    }

    #[test]
    fn templates() {
        let mut template = Template::new(b"a000b000c".to_vec(), &[4, 8], 3);
        template.fill([7, 123]);
        assert_eq!(template.bytes(), b"a007b123c");
        template.fill([40]);
        assert_eq!(template.bytes(), b"a040b123c");
    }
}
