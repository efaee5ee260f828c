//! The grammar of numbers: 1 to 10 digits, optionally `.` and digits, optionally an exponent: `e`
//! or `E`, a sign if need be, and digits. The value is the nearest double.
//!
//! This is any decimal that a language prints for a number in bounds: `100`, `0.1`,
//! `1.6666666666666667`, `1e-07`, `1.0E7`. Redis, Rust and Lua read `inf`, `0x10`, ` 5`, `+5` and
//! `.5` differently. None of them is a number here, so no two engines can disagree.

use std::fmt::{self, Display};

const MAX_WHOLE: usize = 10;
/// Decimals that are read without a search for the nearest double.
const MAX_FRACTION: usize = 9;
/// Integers up to this are exact doubles.
const EXACT: u64 = 1 << 53;

/// Displayed numbers outside of this range have an exponent: others would have too many digits
/// before the point, or many zeros behind it.
const MIN_PLAIN: f64 = 1e-9;
const MAX_PLAIN: f64 = 1e10;

/// Reads a number from the start of `text`. Returns its value, correctly rounded, and the rest.
///
/// `None` if `text` does not start with a number of the grammar. The value may be infinite.
pub(crate) fn prefix(text: &[u8]) -> Option<(f64, &[u8])> {
    let (whole, rest) = digits(text, MAX_WHOLE)?;
    match rest {
        // Most numbers end here, or with the period of a rate. At most 10 digits: below 2^53, so
        // exact.
        [] | [b'/', ..] => Some((whole as f64, rest)),
        [b'.', fraction @ ..] => short(whole, fraction).or_else(|| long(text)),
        _ => long(text),
    }
}

/// Reads all of `text`; `None` if it is not a number of the grammar.
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    match prefix(text)? {
        (value, []) => Some(value),
        _ => None,
    }
}

/// Writes a number of the grammar as a short text of the grammar that reads back as the same
/// double. Most are whole, and those need no search.
pub(crate) fn fmt(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = value as u64;
    if whole as f64 == value && value < MAX_PLAIN {
        whole.fmt(f)
    } else if (MIN_PLAIN..MAX_PLAIN).contains(&value) {
        value.fmt(f)
    } else {
        fmt::LowerExp::fmt(&value, f)
    }
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

/// Reads the decimals of `whole`, and its value; `None` for a number that takes longer.
fn short(whole: u64, fraction: &[u8]) -> Option<(f64, &[u8])> {
    let (part, rest) = digits(fraction, MAX_FRACTION)?;
    let ([] | [b'/', ..]) = rest else { return None };
    let places = fraction.len().checked_sub(rest.len())?;
    let scale = 10_u64.checked_pow(u32::try_from(places).ok()?)?;
    let scaled = whole.checked_mul(scale)?.checked_add(part)?; // 19 digits: below 2^64
    // Both are exact, so their quotient is correctly rounded (Clinger, PLDI 1990).
    (scaled < EXACT).then(|| (scaled as f64 / scale as f64, rest))
}

/// Reads a number whose whole part has been read before. Takes a time in proportion to its length.
#[cold]
fn long(text: &[u8]) -> Option<(f64, &[u8])> {
    let mut rest = after_digits(text)?;
    if let [b'.', fraction @ ..] = rest {
        rest = after_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let ([b'+' | b'-', digits @ ..] | digits) = exponent;
        rest = after_digits(digits)?;
    }
    let (number, rest) = text.split_at_checked(text.len().checked_sub(rest.len())?)?;
    Some((str::from_utf8(number).ok()?.parse().ok()?, rest))
}

/// The text after a run of digits; `None` if it does not start with one.
fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count > 0 { text.get(count..) } else { None }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::parse;

    /// A number as it displays.
    struct Number(f64);

    impl fmt::Display for Number {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            super::fmt(self.0, f)
        }
    }

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
            ("1.6666666666666667", 100.0 / 60.0),
            ("0.30000000000000004", 0.1 + 0.2),
            ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
            ("1e3", 1e3),
            ("1E3", 1e3),
            ("1e+3", 1e3),
            ("1e03", 1e3),
            ("1e-07", 1e-7),
            ("1.0E7", 1e7),
            ("1E-5", 1e-5),
            ("2.5e0", 2.5),
            ("0.0000000001", 1e-10),
            ("0e999", 0.0),
            ("1e-400", 0.0),
            ("5e-324", 5e-324),
            ("1e400", f64::INFINITY),
            ("1e99999999999999999999", f64::INFINITY),
            ("1e-99999999999999999999", 0.0),
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
            let places = 1 + (seed >> 16) as usize % 19;
            let part = (seed >> 20) % 10_u64.pow(places as u32);
            let exponent = ["", "", "e7", "e-07", "E+2"][(seed >> 40) as usize % 5];
            let text = format!("{whole}.{part:0places$}{exponent}");
            assert_eq!(parse(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn every_number_displays_as_one_that_reads_back() {
        for (value, text) in [
            (0.0, "0"),
            (5.0, "5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-9, "0.000000001"),
            (1e-10, "1e-10"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (9_999_999_999.0, "9999999999"),
            (1e10, "1e10"),
            (12_345_678_901.5, "1.23456789015e10"),
        ] {
            assert_eq!(Number(value).to_string(), text);
        }
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(seed >> 1);
            if value.is_finite() {
                let text = Number(value).to_string();
                assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
                assert!(text.len() <= 27, "{text}");
            }
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
            "1e",
            "e3",
            "1e+",
            "1e 3",
            "1e3.5",
            "1e3e3",
            "1.e3",
            "1.5e",
            "1e--3",
            "1e3f",
            "1f",
            "1p3",
            "0x10",
            "0x1p3",
            "inf",
            "nan",
            "infinity",
            "1_0",
            "1e1_0",
            "1,0",
            "1,5",
            "12345678901",
            "00000000001",
            "12345678901e-5",
            "٣",
            "1.٣",
            "5\0",
            "\u{ff15}",
            "5\n",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn any_length_is_read_in_linear_time() {
        let long = "9".repeat(10_000);
        assert_eq!(parse(long.as_bytes()), None);
        // Decimals that decide late: just above the middle between two doubles.
        let middle = "1.00000000000000011102230246251565404236316680908203125";
        let above = format!("{middle}{}1", "0".repeat(10_000_000));
        assert_eq!(parse(middle.as_bytes()), Some(1.0));
        assert_eq!(parse(above.as_bytes()), Some(1.0 + f64::EPSILON));
        assert_eq!(parse(format!("1e-{long}").as_bytes()), Some(0.0));
        assert_eq!(parse(format!("1e{}1", "0".repeat(10_000)).as_bytes()), Some(10.0));
    }
}
