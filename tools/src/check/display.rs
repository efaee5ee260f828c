//! Answers as text.

use std::fmt;

use super::response::{CheckResponse, DecisionJson};
use crate::terminal::printable;

/// A wait in whole milliseconds. It displays in one or two units, rounded up, so that a retry after
/// the displayed time is never early.
struct Wait(u64);

// === impl CheckResponse ===

impl fmt::Display for CheckResponse {
    /// A line for the check, and one for each limit if there are several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decision)?;
        if self.would_deny {
            f.write_str(" (shadow mode: it would be denied)")?;
        }
        if self.degraded {
            f.write_str(" (decided without Redis)")?;
        }
        writeln!(f)?;
        let names: Vec<String> = self.limits.iter().map(|limit| printable(&limit.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        for (name, limit) in names.iter().zip(&self.limits) {
            writeln!(f, "  {name:<width$}  {}", limit.decision)?;
        }
        Ok(())
    }
}

// === impl DecisionJson ===

impl fmt::Display for DecisionJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allowed, limit, remaining, retry_after_ms, reset_after_ms } = *self;
        f.write_str(if allowed { "allowed   " } else { "denied    " })?;
        match retry_after_ms {
            _ if allowed => {}
            None => return write!(f, "cost is above the capacity {limit}: no wait helps"),
            Some(ms) => {
                write!(f, "{remaining} of {limit} left, retry in {}, ", Wait(ms))?;
                return write!(f, "full again in {}", Wait(reset_after_ms));
            }
        }
        match reset_after_ms {
            0 => write!(f, "{remaining} of {limit} left"),
            ms => write!(f, "{remaining} of {limit} left, full again in {}", Wait(ms)),
        }
    }
}

// === impl Wait ===

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        let seconds = ms.div_ceil(1000);
        let (minutes, hours) = (seconds.div_ceil(60), seconds.div_ceil(60 * 60));
        if ms < 1000 {
            write!(f, "{ms} ms")
        } else if ms < 10_000 {
            let tenths = ms.div_ceil(100);
            match tenths % 10 {
                0 => write!(f, "{} s", tenths / 10),
                tenth => write!(f, "{}.{tenth} s", tenths / 10),
            }
        } else if seconds <= 120 {
            write!(f, "{seconds} s")
        } else if seconds < 60 * 60 {
            two_units(f, (seconds / 60, "min"), (seconds % 60, "s"))
        } else if minutes < 24 * 60 {
            two_units(f, (minutes / 60, "h"), (minutes % 60, "min"))
        } else {
            two_units(f, (hours / 24, "d"), (hours % 24, "h"))
        }
    }
}

fn two_units(f: &mut fmt::Formatter<'_>, major: (u64, &str), minor: (u64, &str)) -> fmt::Result {
    write!(f, "{} {}", major.0, major.1)?;
    match minor {
        (0, _) => Ok(()),
        (count, unit) => write!(f, " {count} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::response::CheckResponse, Wait};

    fn text(json: &str) -> String {
        serde_json::from_str::<CheckResponse>(json).unwrap().to_string()
    }

    #[test]
    fn one_limit_is_one_line() {
        for (allowed, limit, remaining, retry, reset, line) in [
            (true, 100, 99, "0", 600, "allowed   99 of 100 left, full again in 600 ms\n"),
            (true, 100, 100, "0", 0, "allowed   100 of 100 left\n"),
            (
                false,
                100,
                0,
                "1200",
                60_000,
                "denied    0 of 100 left, retry in 1.2 s, full again in 60 s\n",
            ),
            (
                false,
                10,
                -3,
                "1",
                90_000_000,
                "denied    -3 of 10 left, retry in 1 ms, full again in 1 d 1 h\n",
            ),
            (false, 10, 10, "null", 0, "denied    cost is above the capacity 10: no wait helps\n"),
        ] {
            let json = format!(
                "{{\"allowed\":{allowed},\"limit\":{limit},\"remaining\":{remaining},\
                 \"retry_after_ms\":{retry},\"reset_after_ms\":{reset},\"new\":[]}}"
            );
            assert_eq!(text(&json), line);
        }
    }

    #[test]
    fn several_limits_are_a_line_each() {
        let one = r#"{
            "allowed":true,"limit":1,"remaining":0,"retry_after_ms":0,"reset_after_ms":5,
            "degraded":true,"would_deny":true}"#;
        assert_eq!(
            text(one),
            "allowed   0 of 1 left, full again in 5 ms (shadow mode: it would be denied) \
             (decided without Redis)\n"
        );
        let several = r#"{
            "allowed":false,"limit":2,"remaining":0,"retry_after_ms":100,"reset_after_ms":200,
            "degraded":false,"would_deny":false,"limits":[
            {"name":"burst","allowed":false,"limit":2,"remaining":0,
             "retry_after_ms":100,"reset_after_ms":200},
            {"name":"d\u001b[2J","allowed":true,"limit":9,"remaining":8,
             "retry_after_ms":0,"reset_after_ms":1000}]}"#;
        assert_eq!(
            text(several),
            "denied    0 of 2 left, retry in 100 ms, full again in 200 ms\n  \
             burst  denied    0 of 2 left, retry in 100 ms, full again in 200 ms\n  \
             d\u{fffd}[2J  allowed   8 of 9 left, full again in 1 s\n"
        );
    }

    #[test]
    fn waits_are_rounded_up() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (1001, "1.1 s"),
            (1200, "1.2 s"),
            (8_999, "9 s"),
            (9_001, "9.1 s"),
            (9_901, "10 s"),
            (10_001, "11 s"),
            (119_001, "120 s"),
            (120_001, "2 min 1 s"),
            (180_000, "3 min"),
            (3_599_001, "1 h"),
            (3_600_001, "1 h 1 min"),
            (86_340_000, "23 h 59 min"),
            (86_340_001, "1 d"),
            (86_400_000, "1 d"),
            (90_000_001, "1 d 2 h"),
            (u64::MAX, "213503982334 d 15 h"),
        ] {
            assert_eq!(Wait(ms).to_string(), text, "{ms}");
        }
    }
}
