//! The trace: equal steps for equal seeds, on any machine.

use rl_store::redis::CommandKind;

pub(super) const START: u64 = 1_700_000_000_000_000;
pub(super) const STEPS: usize = 3_000;
pub(super) const KEYS: usize = 3;

/// The arguments for one bucket.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    pub(super) key: usize,
    pub(super) capacity: String,
    pub(super) rate: String,
    pub(super) amount: String,
}

/// One command, with the arguments of one bucket, or of several if it takes several.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) now: u64,
    pub(super) command: CommandKind,
    pub(super) buckets: Vec<Arguments>,
}

/// A small random generator (SplitMix64, Steele et al. 2014).
struct Random(u64);

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn capacity(&mut self) -> String {
        match self.below(4) {
            0 => {
                let texts =
                    ["1", "0.5", "1000000000", "2.000000001", "1.6666666666666667", "2.5E+1"];
                self.one_of(&texts).to_owned()
            }
            1 => format!("{}.{:09}", self.below(100), 1 + self.below(999_999_999)),
            _ => (1 + self.below(200)).to_string(),
        }
    }

    fn rate(&mut self) -> String {
        let unit = self.one_of(&["s", "m"]);
        match self.below(4) {
            0 => {
                let texts = [
                    "1000000000",
                    "0.000001",
                    "1/d",
                    "100/m",
                    "7/11s",
                    "1/30d",
                    "1e-07",
                    "1.6666666666666667",
                ];
                self.one_of(&texts).to_owned()
            }
            1 => format!("{}/{}{unit}", 1 + self.below(99), 1 + self.below(20)),
            2 => format!("0.{:09}", 1000 + self.below(999_990_000)),
            _ => (1 + self.below(300)).to_string(),
        }
    }

    /// A capacity and a rate; one in eight leads to waits too long to report.
    fn limit(&mut self) -> (String, String) {
        match self.below(8) {
            0 => {
                let capacity = self.one_of(&["1e9", "999999999.5", "8000000.5", "20000000"]);
                let rate = self.one_of(&["1e-9", "0.0000000010000000001", "2E-09", "1/11000d"]);
                (capacity.to_owned(), rate.to_owned())
            }
            _ => (self.capacity(), self.rate()),
        }
    }

    fn amount(&mut self, capacity: &str) -> String {
        let held: f64 = capacity.parse().expect("a number");
        match self.below(8) {
            0 => "0".to_owned(),
            1 => format!("{:.9}", held * self.below(1000) as f64 / 1000.0),
            2 => capacity.to_owned(),
            3 => format!("{:.3}", (held * 1.5).min(1e9)),
            4 => format!("{:e}", held / 3.0),
            _ => "1".to_owned(),
        }
    }
}

/// A trace over a few buckets. Limits stay for a while and then change; time mostly creeps,
/// sometimes leaps, and now and then goes back.
pub(super) fn trace(seed: u64) -> Vec<Step> {
    use CommandKind::{Charge, Check, CheckAll, MCheck, Peek, Refund, Reset, Take};

    let mut random = Random(seed);
    let mut now = START;
    let mut limits: Vec<_> = (0..KEYS).map(|_| random.limit()).collect();
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        if random.below(6) == 0 {
            let key = random.below(KEYS as u64) as usize;
            limits[key] = random.limit();
        }
        now = match random.below(40) {
            0 => now + random.below(10 * 86_400_000_000),
            1 => now - random.below(5_000_000).min(now - START),
            2 => now,
            _ => now + random.below(600_000),
        };
        let command = match random.below(60) {
            0 => Reset,
            _ => random.one_of(&[
                Check, Check, Check, Check, Peek, Take, Take, Refund, Charge, MCheck, CheckAll,
                CheckAll,
            ]),
        };
        let several = matches!(command, MCheck | CheckAll | Reset);
        let count = if several { 1 + random.below(4) } else { 1 };
        let buckets = (0..count)
            .map(|_| {
                // Keys may repeat: later arguments must see what earlier ones left.
                let key = random.below(KEYS as u64) as usize;
                let (capacity, rate) = limits[key].clone();
                let amount = random.amount(&capacity);
                Arguments { key, capacity, rate, amount }
            })
            .collect();
        steps.push(Step { now, command, buckets });
    }
    steps
}
