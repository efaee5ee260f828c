//! The refill rate: a number of tokens over a period.

use std::fmt;

use crate::{Invalid, decimal};

/// A refill rate of 1e-6 to 1e9 tokens a second.
///
/// Written as tokens a second (`10`) or over a period: `10/s`, `100/m`, `5000/h`, `1000/d`,
/// `5/10s`. Displays as it was written, and that text parses to the same rate.
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
    const MIN: f64 = 1e-6;
    const MAX: f64 = 1e9;
    /// 9999999999.9999999 rounds up to this, whose own text would have a digit too many.
    const TOO_MANY: f64 = 1e10;

    /// Reads a rate; [`Invalid::Rate`] for anything else.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        let (tokens, rest) = decimal::prefix(text).ok_or(Invalid::Rate)?;
        if tokens >= Self::TOO_MANY {
            return Err(Invalid::Rate);
        }
        let (period, per_second) = match rest {
            [] => (None, tokens),
            [b'/', period @ ..] => {
                let period = Period::parse(period).ok_or(Invalid::Rate)?;
                (Some(period), tokens / period.seconds())
            }
            _ => return Err(Invalid::Rate),
        };
        if !(Self::MIN..=Self::MAX).contains(&per_second) {
            return Err(Invalid::Rate);
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
        // The shortest text of a double from the grammar is in the grammar again.
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
            [unit @ (b's' | b'm' | b'h' | b'd')] if count > 0 => Some(Self { count, unit: *unit }),
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
    use crate::Invalid;

    #[test]
    fn rates() {
        for (text, per_second) in [
            ("10", 10.0),
            ("10/s", 10.0),
            ("100/m", 100.0 / 60.0),
            ("5000/h", 5000.0 / 3600.0),
            ("1000/d", 1000.0 / 86_400.0),
            ("5/10s", 0.5),
            ("0.5/2m", 0.5 / 120.0),
            ("1.5", 1.5),
            ("0.000001", 1e-6),
            ("1/1000000s", 1e-6),
            ("1000000000", 1e9),
        ] {
            let rate = Rate::parse(text.as_bytes()).unwrap();
            assert_eq!(rate.per_second(), per_second, "{text}");
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(Rate::parse(b"7/1s").unwrap().to_string(), "7/s");
        assert_eq!(Rate::parse(b"007/01m").unwrap().to_string(), "7/m");
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
            "10/0s",
            "10/-1s",
            "10/1.5s",
            "10 /s",
            "10/ s",
            "10/s ",
            "10//s",
            "10/10",
            "10/12345678901s",
            "0",
            "0/s",
            "0.0000009",
            "1/1000001s",
            "1000000001",
            "9999999999.999999910/m",
            "-1",
            "1e3",
            "inf",
            "nan",
            "0x10",
        ] {
            assert_eq!(Rate::parse(text.as_bytes()), Err(Invalid::Rate), "{text:?}");
        }
    }
}
