//! The cost of a bucket step, compared with a clock read.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::SystemTime;

use bencher::{Bencher, benchmark_group, benchmark_main};
use rl_bucket::{Bucket, Cost, Level, Limit, Micros};

const NOW: Micros = Micros::new(1_700_000_000_000_000);
const LATER: Micros = Micros::new(1_700_000_000_005_000);

fn limit() -> Limit {
    Limit::parse("100", "100/m").unwrap()
}

fn drained() -> Bucket {
    Level::at(None, &limit(), NOW).check(Cost::parse(b"100").unwrap()).write.unwrap()
}

fn clock_read(b: &mut Bencher) {
    b.iter(SystemTime::now);
}

fn step_allowed(b: &mut Bencher) {
    let limit = limit();
    let bucket = Level::at(None, &limit, NOW).check(Cost::ONE).write;
    b.iter(|| Level::at(black_box(bucket), black_box(&limit), black_box(LATER)).check(Cost::ONE));
}

fn step_denied(b: &mut Bencher) {
    let (limit, bucket) = (limit(), Some(drained()));
    b.iter(|| Level::at(black_box(bucket), black_box(&limit), black_box(LATER)).check(Cost::ONE));
}

fn state_decode(b: &mut Bencher) {
    let bytes = drained().encode();
    b.iter(|| Bucket::decode(black_box(&bytes)));
}

fn state_encode(b: &mut Bencher) {
    let bucket = drained();
    b.iter(|| black_box(&bucket).encode());
}

fn limit_parse(b: &mut Bencher) {
    b.iter(|| Limit::parse(black_box("100"), black_box("10")));
}

fn limit_parse_period(b: &mut Bencher) {
    b.iter(|| Limit::parse(black_box("100"), black_box("100/m")));
}

benchmark_group!(
    bucket,
    clock_read,
    step_allowed,
    step_denied,
    state_decode,
    state_encode,
    limit_parse,
    limit_parse_period
);
benchmark_main!(bucket);
