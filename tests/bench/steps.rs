//! The bucket step on its own.

use std::hint::black_box;

use rl_bucket::{Cost, Level, Limit, Micros};

/// Makes `count` checks of one bucket, a millisecond apart.
pub(crate) fn run(count: u64) {
    let limit = Limit::parse("1000000", "1000").expect("a limit");
    let mut bucket = None;
    for i in 0..count {
        let now = Micros::new(1_700_000_000_000_000 + 1000 * i);
        let step = Level::at(black_box(bucket), black_box(&limit), now).check(Cost::ONE);
        bucket = step.write.or(bucket);
        black_box(step.decision);
    }
}
