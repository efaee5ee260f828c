//! Decodes any bytes as a bucket, and applies every operation to it under some limit. The decision
//! survives its wire format, the level stays in bounds, and the new state decodes to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros};

const LIMITS: [(&str, &str); 7] = [
    ("1", "1/d"),
    ("100", "100/m"),
    ("0.000000001", "0.000001"),
    ("1000000000", "1000000000"),
    ("1000000000", "0.000001"),
    ("1e-9", "1/30d"),
    ("1e9", "1e-9"),
];

fuzz_target!(|input: (&[u8], u64, u8, u32)| {
    let (bytes, now, choice, amount) = input;
    let bucket = Bucket::decode(bytes);
    if let Some(bucket) = bucket {
        assert_eq!(bucket.encode(), bytes);
    }
    let (capacity, rate) = LIMITS[usize::from(choice) % LIMITS.len()];
    let limit = Limit::parse(capacity, rate).unwrap();
    let amount = Cost::parse((amount % 1_000_000_001).to_string().as_bytes()).unwrap();
    let level = Level::at(bucket, &limit, Micros::new(now));
    let (granted, take) = level.take(amount);
    assert!(granted <= limit.capacity().tokens() as u64);
    for step in [take, level.check(amount), level.refund(amount), level.charge(amount)] {
        let decision = step.decision;
        assert_eq!(Decision::from_wire(decision.to_wire()), Some(decision));
        assert!(decision.remaining <= limit.capacity().tokens() as i64);
        if let Some(next) = step.write {
            assert_eq!(Bucket::decode(&next.encode()), Some(next));
        }
    }
});
