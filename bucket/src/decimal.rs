//! The grammar of numbers: 1 to 10 digits, optionally `.` and 1 to 9 digits.
//!
//! Redis, Rust and Lua read `inf`, `0x10`, `1e3`, ` 5` and `.5` differently. None of them is a
//! number here, so no two engines can disagree.

use std::fmt::{self, Display};

const MAX_WHOLE: usize = 10;
const MAX_FRACTION: usize = 9;
/// Integers up to this are exact doubles.
const EXACT: u64 = 1 << 53;

/// Reads a number from the start of `text`. Returns its value, correctly rounded, and the rest.
///
/// `None` if `text` does not start with a number of the grammar.
pub(crate) fn prefix(text: &[u8]) -> Option<(f64, &[u8])> {
    let (whole, rest) = digits(text, MAX_WHOLE)?;
    let [b'.', fraction @ ..] = rest else {
        // At most 10 digits: below 2^53, so exact.
        return Some((whole as f64, rest));
    };
    let (part, rest) = digits(fraction, MAX_FRACTION)?;
    let places = fraction.len().checked_sub(rest.len())?;
    let scale = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    let scaled = whole.checked_mul(scale)?.checked_add(part)?; // 19 digits: below 2^64
    if scaled < EXACT {
        // Both are exact, so their quotient is correctly rounded (Clinger, PLDI 1990).
        return Some((scaled as f64 / scale as f64, rest));
    }
    let (number, rest) = text.split_at_checked(text.len().checked_sub(rest.len())?)?;
    Some((str::from_utf8(number).ok()?.parse().ok()?, rest))
}

/// Reads all of `text`; `None` if it is not a number of the grammar.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    match prefix(text)? {
        (value, []) => Some(value),
        _ => None,
    }
}

/// Writes a number of the grammar as the shortest text that reads back as the same double. Most are
/// whole, and those need no search.
pub(crate) fn fmt(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = value as u64;
    if whole as f64 == value && whole < EXACT { whole.fmt(f) } else { value.fmt(f) }
}

/// Reads 1 to `most` digits (`most <= 10`); `None` for a longer run.
pub(crate) fn digits(text: &[u8], most: usize) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f));
        rest = tail;
    }
    let count = text.len().wrapping_sub(rest.len());
    (1..=most).contains(&count).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0.0),
            ("5", 5.0),
            ("05", 5.0),
            ("10", 10.0),
            ("1.5", 1.5),
            ("0.1", 0.1),
            ("0.000001", 1e-6),
            ("1000000000", 1e9),
            ("9999999999", 9_999_999_999.0),
            ("9999999999.999999999", 9_999_999_999.999_999_999),
            ("0000000001.000000001", 1.000_000_001),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn fractions_equal_those_that_rust_reads() {
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let whole = (seed >> 30) % 10_u64.pow(1 + (seed >> 8) as u32 % 10);
            let places = 1 + (seed >> 16) as usize % 9;
            let part = (seed >> 20) % 10_u64.pow(places as u32);
            let text = format!("{whole}.{part:0places$}");
            assert_eq!(parse(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn not_numbers() {
        for text in [
            "",
            " ",
            " 5",
            "5 ",
            "+5",
            "-5",
            "-0",
            ".5",
            "5.",
            ".",
            "1.2.3",
            "1e3",
            "1E3",
            "0x10",
            "inf",
            "nan",
            "infinity",
            "1_0",
            "1,0",
            "12345678901",
            "00000000001",
            "1.1234567890",
            "٣",
            "5\0",
            "\u{ff15}",
            "5\n",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        let long = "9".repeat(10_000);
        assert_eq!(parse(long.as_bytes()), None);
    }
}
