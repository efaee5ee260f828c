//! The refill rate: a number of tokens over a period.

use std::fmt;

use crate::{Invalid, Rule, decimal};

/// A refill rate of 1e-9 to 1e9 tokens a second.
///
/// Written as tokens a second (`10`) or over a period: `10/s`, `100/m`, `5000/h`, `1/30d`, `5/10s`.
/// Displays with the same number and period, and that text parses to the same rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    tokens: f64,
    period: Option<Period>,
    per_second: f64,
}

/// `count` units of time; a count of 1 is not written.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Period {
    count: u64,
    unit: u8,
}

// === impl Rate ===

impl Rate {
    const MIN: f64 = 1e-9;
    const MAX: f64 = 1e9;

    /// Reads a rate of the grammar in bounds; [`Invalid::Rate`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        const GRAMMAR: Invalid = Invalid::Rate(Rule::Grammar);
        let (tokens, rest) = decimal::prefix(text).ok_or(GRAMMAR)?;
        let (period, per_second) = match rest {
            [] => (None, tokens),
            [b'/', period @ ..] => {
                let period = Period::parse(period).ok_or(GRAMMAR)?;
                (Some(period), tokens / period.seconds())
            }
            _ => return Err(GRAMMAR),
        };
        // An infinity is in no bounds, nor is the NaN of `0/0s`.
        if !(Self::MIN..=Self::MAX).contains(&per_second) {
            return Err(Invalid::Rate(Rule::Bounds));
        }
        Ok(Self { tokens, period, per_second })
    }

    /// Tokens a second.
    #[inline]
    pub fn per_second(&self) -> f64 {
        self.per_second
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::fmt(self.tokens, f)?;
        match self.period {
            None => Ok(()),
            Some(Period { count: 1, unit }) => write!(f, "/{}", char::from(unit)),
            Some(Period { count, unit }) => write!(f, "/{count}{}", char::from(unit)),
        }
    }
}

// === impl Period ===

impl Period {
    fn parse(text: &[u8]) -> Option<Self> {
        let (count, rest) = match text {
            [b'0'..=b'9', ..] => decimal::digits(text, 10)?,
            _ => (1, text),
        };
        match rest {
            [unit @ (b's' | b'm' | b'h' | b'd')] => Some(Self { count, unit: *unit }),
            _ => None,
        }
    }

    fn seconds(self) -> f64 {
        let unit = match self.unit {
            b'm' => 60.0,
            b'h' => 3_600.0,
            b'd' => 86_400.0,
            _ => 1.0,
        };
        self.count as f64 * unit
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;
    use crate::{Invalid, Rule};

    #[test]
    fn rates() {
        for (text, per_second) in [
            ("10", 10.0),
            ("10/s", 10.0),
            ("100/m", 100.0 / 60.0),
            ("5000/h", 5000.0 / 3600.0),
            ("1000/d", 1000.0 / 86_400.0),
            ("1/30d", 1.0 / 2_592_000.0),
            ("1/365d", 1.0 / 31_536_000.0),
            ("5/10s", 0.5),
            ("0.5/2m", 0.5 / 120.0),
            ("1.5", 1.5),
            ("1.6666666666666667", 100.0 / 60.0),
            ("1.6666666666666667/m", 100.0 / 60.0 / 60.0),
            ("0.000001", 1e-6),
            ("1/1000000s", 1e-6),
            ("0.000000001", 1e-9),
            ("1/1000000000s", 1e-9),
            ("1000000000", 1e9),
            ("1e10/m", 1e10 / 60.0),
            ("8.64e22/9999999999d", 8.64e22 / (9_999_999_999.0 * 86_400.0)),
        ] {
            let rate = Rate::parse(text.as_bytes()).unwrap();
            assert_eq!(rate.per_second(), per_second, "{text}");
            assert_eq!(rate.to_string(), text);
        }
        for (text, shown) in [
            ("7/1s", "7/s"),
            ("007/01m", "7/m"),
            ("1e-07", "0.0000001"),
            ("1.0E7", "10000000"),
            ("1E-9", "0.000000001"),
            ("10e-10/s", "0.000000001/s"),
            ("1e-5/s", "0.00001/s"),
            ("9999999999.9999999999/h", "1e10/h"), // rounds to a number of 11 digits
        ] {
            let rate = Rate::parse(text.as_bytes()).unwrap();
            assert_eq!(rate.to_string(), shown, "{text}");
            assert_eq!(Rate::parse(shown.as_bytes()), Ok(rate), "{text}");
        }
    }

    #[test]
    fn not_rates() {
        for text in [
            "",
            "/",
            "/s",
            "10/",
            "10/x",
            "10/S",
            "10/ms",
            "10/-1s",
            "10/1.5s",
            "10/1e2s",
            "10 /s",
            "10/ s",
            "10/s ",
            "10//s",
            "10/10",
            "10/12345678901s",
            "-1",
            "+1",
            "1e",
            "1e/s",
            "inf",
            "nan",
            "0x10",
        ] {
            assert_eq!(Rate::parse(text.as_bytes()), Err(Invalid::Rate(Rule::Grammar)), "{text:?}");
        }
        for text in [
            "0",
            "0/s",
            "0/0s",
            "10/0s",
            "0.0000000009",
            "1/1000000001s",
            "1/9999999999d",
            "1e-10",
            "1e-400",
            "1000000001",
            "1000000000.0000002",
            "1e10",
            "1e999",
            "1e999/9999999999d",
        ] {
            assert_eq!(Rate::parse(text.as_bytes()), Err(Invalid::Rate(Rule::Bounds)), "{text:?}");
        }
    }
}
