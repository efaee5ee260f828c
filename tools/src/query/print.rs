//! Answers in one glance.

use std::fmt;

use super::answer::{Answer, Five};

/// A wait in whole milliseconds. It displays with one unit or two, rounded up: what is not early in
/// milliseconds is not early here.
struct Wait(u64);

// === impl Answer ===

impl fmt::Display for Answer {
    /// A line, and one more for each of several limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.five)?;
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
            writeln!(f, "  {name:<width$}  {}", limit.five)?;
        }
        Ok(())
    }
}

// === impl Five ===

impl fmt::Display for Five {
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
            two(f, (seconds / 60, "min"), (seconds % 60, "s"))
        } else if minutes < 24 * 60 {
            two(f, (minutes / 60, "h"), (minutes % 60, "min"))
        } else {
            two(f, (hours / 24, "d"), (hours % 24, "h"))
        }
    }
}

fn two(f: &mut fmt::Formatter<'_>, rough: (u64, &str), fine: (u64, &str)) -> fmt::Result {
    write!(f, "{} {}", rough.0, rough.1)?;
    match fine {
        (0, _) => Ok(()),
        (count, unit) => write!(f, " {count} {unit}"),
    }
}

// === texts of others ===

/// A text without what a terminal would obey: control characters, and those that turn the direction
/// of reading around.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// JSON on one line, and equally harmless. What must not be printed can only stand between tokens, where
/// it is left out, or in strings, where it is escaped.
pub(super) fn one_line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\r' | '\t' => {}
            // Each of them fits into four digits.
            c if is_obeyed(c) => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line
}

fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{super::answer::Answer, Wait, one_line, printable};

    fn shown(json: &str) -> String {
        serde_json::from_str::<Answer>(json).unwrap().to_string()
    }

    #[test]
    fn answers() {
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
                r#"{{"allowed":{allowed},"limit":{limit},"remaining":{remaining},"retry_after_ms":{retry},"reset_after_ms":{reset},"new":[]}}"#
            );
            assert_eq!(shown(&json), line);
        }
    }

    #[test]
    fn remarks_and_limits() {
        let one = r#"{"allowed":true,"limit":1,"remaining":0,"retry_after_ms":0,"reset_after_ms":5,"degraded":true,"would_deny":true}"#;
        assert_eq!(
            shown(one),
            "allowed   0 of 1 left, full again in 5 ms (shadow mode: it would be denied) \
             (decided without Redis)\n"
        );
        let several = r#"{
            "allowed":false,"limit":2,"remaining":0,"retry_after_ms":100,"reset_after_ms":200,
            "degraded":false,"would_deny":false,"limits":[
            {"name":"burst","allowed":false,"limit":2,"remaining":0,"retry_after_ms":100,"reset_after_ms":200},
            {"name":"d\u001b[2J","allowed":true,"limit":9,"remaining":8,"retry_after_ms":0,"reset_after_ms":1000}]}"#;
        assert_eq!(
            shown(several),
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

    #[test]
    fn nothing_reaches_the_terminal_that_it_obeys() {
        assert_eq!(
            printable("a\u{1b}[31m\r\n\u{9b}1m\u{202e}é"),
            "a\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}1m\u{fffd}é"
        );
        let json = "{\r\n\t\"a\": \"\u{9b}\u{7f}\u{202e}\\u001b\"\n}\n";
        let line = one_line(json);
        assert_eq!(line, r#"{"a": "\u009b\u007f\u202e\u001b"}"#);
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(json), parse(&line));
    }
}
