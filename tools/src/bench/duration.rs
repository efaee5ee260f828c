//! Durations as people write them.

use std::time::Duration;

const MAX: Duration = Duration::from_secs(86_400);
const RULE: &str = "duration must be a whole number of ms, s (or nothing), m or h, such as 500ms \
    or 10s: at most 24h";

/// Parses a duration such as `500ms`, `10s`, `10`, `5m` or `1h`, at most a day.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" | "" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = unit_ms.zip(digits.parse::<u32>().ok()).map(|(unit, count)| unit * u64::from(count));
    ms.map(Duration::from_millis)
        .filter(|duration| (1..=MAX.as_millis()).contains(&duration.as_millis()))
        .ok_or(RULE)
}

/// Formats a duration in µs, ms or s, to three digits.
pub(super) fn format(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        ..999.5 => (micros, "µs"),
        ..999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{format, parse};

    #[test]
    fn durations_are_whole_numbers_of_a_unit() {
        for (text, ms) in [
            ("1ms", Some(1)),
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("5m", Some(300_000)),
            ("24h", Some(86_400_000)),
            ("25h", None),
            ("4294967295h", None),
            ("4294967296ms", None),
            ("0s", None),
            ("10", Some(10_000)),
            ("0", None),
            ("86401", None),
            ("1.5", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("+1s", Some(1000)),
            ("1.5s", None),
            ("1é", None),
        ] {
            let found = parse(text).ok().map(|duration| duration.as_millis());
            assert_eq!(found, ms, "{text}");
        }
    }

    #[test]
    fn durations_are_shown_to_three_digits() {
        for (nanos, text) in [
            (0, "0 µs"),
            (850, "0.85 µs"),
            (51_249, "51.2 µs"),
            (250_000, "250 µs"),
            (999_499, "999 µs"),
            (999_500, "1 ms"),
            (1_234_567, "1.23 ms"),
            (20_000_000, "20 ms"),
            (99_960_000, "100 ms"),
            (999_499_999, "999 ms"),
            (1_500_000_000, "1.5 s"),
            (86_400_000_000_000, "86400 s"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanos)), text);
        }
    }
}
