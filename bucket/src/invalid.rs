//! The errors of text that is no number of a limit.

use std::{error, fmt};

/// The argument that is invalid, and the rule that it breaks. Displays as a fixed text that names
/// the argument and states the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not a [`Capacity`](crate::Capacity).
    Capacity(Rule),
    /// Not a [`Rate`](crate::Rate).
    Rate(Rule),
    /// Not a [`Cost`](crate::Cost).
    Cost(Rule),
}

/// A rule that a number must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is written in the grammar of numbers, and a rate in that of rates.
    Grammar,
    /// It is neither too small nor too large.
    Bounds,
}

// === impl Invalid ===

impl Invalid {
    /// Every error, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::Capacity(Rule::Grammar),
        Self::Capacity(Rule::Bounds),
        Self::Rate(Rule::Grammar),
        Self::Rate(Rule::Bounds),
        Self::Cost(Rule::Grammar),
        Self::Cost(Rule::Bounds),
    ];

    /// The fixed text of this error.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Capacity(Rule::Grammar) => {
                "capacity must be 1 to 10 digits, optionally with decimals and an exponent, such \
                 as 100, 0.5 or 1e6"
            }
            Self::Capacity(Rule::Bounds) => "capacity must be above 0 and at most 1000000000",
            Self::Rate(Rule::Grammar) => {
                "rate must be 1 to 10 digits, optionally with decimals and an exponent, alone or \
                 over a period of at most 10 digits and s, m, h or d, such as 10, 0.5, 100/m or \
                 1/30d"
            }
            Self::Rate(Rule::Bounds) => {
                "rate must be at least 0.000000001 and at most 1000000000 tokens a second"
            }
            Self::Cost(Rule::Grammar) => {
                "cost must be 1 to 10 digits, optionally with decimals and an exponent, such as 1, \
                 2.5 or 1e3"
            }
            Self::Cost(Rule::Bounds) => "cost must be at least 0 and at most 1000000000",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl error::Error for Invalid {}
