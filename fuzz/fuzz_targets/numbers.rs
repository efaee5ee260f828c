//! Parses any text as a capacity, rate and cost. An accepted value is in bounds, and its text form
//! parses to the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rl_bucket::{Capacity, Cost, Rate};

fuzz_target!(|text: &[u8]| {
    if let Ok(capacity) = Capacity::parse(text) {
        assert!(capacity.tokens() > 0.0 && capacity.tokens() <= 1e9);
        assert_eq!(Capacity::parse(capacity.to_string().as_bytes()), Ok(capacity));
    }
    if let Ok(cost) = Cost::parse(text) {
        assert!((0.0..=1e9).contains(&cost.tokens()));
        assert_eq!(Cost::parse(cost.to_string().as_bytes()), Ok(cost));
        // The standard library reads the same text as the same double, and some more.
        assert!(text.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte)));
        assert_eq!(str::from_utf8(text).unwrap().parse::<f64>(), Ok(cost.tokens()));
    }
    if let Ok(rate) = Rate::parse(text) {
        assert!((1e-9..=1e9).contains(&rate.per_second()));
        assert_eq!(Rate::parse(rate.to_string().as_bytes()), Ok(rate));
    }
});
