//! The numbers that a caller gives, validated once at the edge: nothing inside validates again.

use std::fmt;

use crate::{Invalid, Rate, Rule, decimal};

/// The most tokens a bucket holds: `0 < capacity <= 1e9`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity(f64);

/// The tokens a check takes: `0 <= cost <= 1e9`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Cost(f64);

/// A bucket's capacity and refill rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    capacity: Capacity,
    rate: Rate,
}

const MAX: f64 = 1e9;

// === impl Capacity ===

impl Capacity {
    /// Reads a number of the grammar in bounds; [`Invalid::Capacity`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        match decimal::parse(text) {
            Some(tokens) if tokens > 0.0 && tokens <= MAX => Ok(Self(tokens)),
            Some(_) => Err(Invalid::Capacity(Rule::Bounds)),
            None => Err(Invalid::Capacity(Rule::Grammar)),
        }
    }

    /// The capacity in tokens.
    #[inline]
    pub fn tokens(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::fmt(self.0, f)
    }
}

// === impl Cost ===

impl Cost {
    /// No tokens: a check of it takes nothing, and is denied only while the bucket is in debt.
    pub const ZERO: Self = Self(0.0);

    /// One token: the default cost of a check.
    pub const ONE: Self = Self(1.0);

    /// Reads a number of the grammar in bounds; [`Invalid::Cost`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        match decimal::parse(text) {
            Some(tokens) if tokens <= MAX => Ok(Self(tokens)),
            Some(_) => Err(Invalid::Cost(Rule::Bounds)),
            None => Err(Invalid::Cost(Rule::Grammar)),
        }
    }

    /// The cost in tokens.
    #[inline]
    pub fn tokens(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::fmt(self.0, f)
    }
}

// === impl Limit ===

impl Limit {
    /// A limit of both parts.
    pub fn new(capacity: Capacity, rate: Rate) -> Self {
        Self { capacity, rate }
    }

    /// Reads both parts; the error names the first invalid one.
    pub fn parse(capacity: &str, rate: &str) -> Result<Self, Invalid> {
        Ok(Self::new(Capacity::parse(capacity.as_bytes())?, Rate::parse(rate.as_bytes())?))
    }

    /// The most tokens the bucket holds.
    #[inline]
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// The tokens the bucket gains in a second.
    #[inline]
    pub fn rate(&self) -> Rate {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::{Capacity, Cost, Invalid, Limit, Rule};

    #[test]
    fn numbers_are_bounded() {
        for (text, capacity, cost) in [
            ("0", false, true),
            ("0.0", false, true),
            ("0e5", false, true),
            ("1e-400", false, true), // the nearest double is 0
            ("5e-324", true, true),
            ("0.000000001", true, true),
            ("1", true, true),
            ("1000000000", true, true),
            ("1e9", true, true),
            ("1000000000.000000001", true, true), // rounds to 1e9
            ("1000000000.1", false, false),
            ("1000000001", false, false),
            ("1e10", false, false),
            ("1e999", false, false),
        ] {
            let bounds = |ok: bool, invalid| if ok { None } else { Some(invalid) };
            let found = Capacity::parse(text.as_bytes()).err();
            assert_eq!(found, bounds(capacity, Invalid::Capacity(Rule::Bounds)), "capacity {text}");
            let found = Cost::parse(text.as_bytes()).err();
            assert_eq!(found, bounds(cost, Invalid::Cost(Rule::Bounds)), "cost {text}");
        }
    }

    #[test]
    fn the_error_names_the_argument_and_the_rule() {
        assert_eq!(Limit::parse("0", "0"), Err(Invalid::Capacity(Rule::Bounds)));
        assert_eq!(Limit::parse("1", "0"), Err(Invalid::Rate(Rule::Bounds)));
        assert_eq!(Limit::parse("-1", "1"), Err(Invalid::Capacity(Rule::Grammar)));
        assert_eq!(Limit::parse("1", "1/w"), Err(Invalid::Rate(Rule::Grammar)));
        assert_eq!(Cost::parse(b"+1"), Err(Invalid::Cost(Rule::Grammar)));
        for invalid in Invalid::ALL {
            let (name, rule) = match invalid {
                Invalid::Capacity(rule) => ("capacity", rule),
                Invalid::Rate(rule) => ("rate", rule),
                Invalid::Cost(rule) => ("cost", rule),
            };
            let text = invalid.to_string();
            assert!(text.starts_with(name), "{text}");
            assert_eq!(text.contains("1 to 10 digits"), rule == Rule::Grammar, "{text}");
            assert_eq!(text.contains("1000000000"), rule == Rule::Bounds, "{text}");
        }
    }
}
