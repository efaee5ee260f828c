//! A line each second, for whoever waits.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use super::{histogram::span, tally::Tally};

/// Where the line is shown. On a terminal it is written over itself, elsewhere lines follow each other.
pub(super) struct Progress<W> {
    out: W,
    rewrites: bool,
}

/// Goes to the beginning of the line, and clears it.
const BACK: &str = "\r\x1b[2K";

// === impl Progress ===

impl Progress<io::Stderr> {
    pub(super) fn on_stderr() -> Self {
        Self { out: io::stderr(), rewrites: io::stderr().is_terminal() }
    }
}

impl<W: Write> Progress<W> {
    /// What came in the `last` part of the time. Nobody reading it is no reason to stop.
    pub(super) fn show(&mut self, elapsed: Duration, last: Duration, tally: &Tally) {
        let line = line(elapsed, last, tally);
        let _ = if self.rewrites {
            write!(self.out, "{BACK}{line}")
        } else {
            writeln!(self.out, "{line}")
        };
        let _ = self.out.flush();
    }

    /// Makes room for what is said next.
    pub(super) fn clear(&mut self) {
        if self.rewrites {
            let _ = write!(self.out, "{BACK}");
            let _ = self.out.flush();
        }
    }
}

fn line(elapsed: Duration, last: Duration, tally: &Tally) -> String {
    let Tally { allowed, denied, degraded, .. } = tally;
    let rate = tally.decided() as f64 / last.as_secs_f64();
    let mut line = format!(
        "{:>4} s {rate:>9.0}/s  allowed {allowed}, denied {denied}, degraded {degraded}, errors {}",
        elapsed.as_secs_f64().round(),
        tally.failed()
    );
    if !tally.latency.is_empty() {
        line += &format!("  p50 {}, p99 {}", span(tally.quantile(0.5)), span(tally.quantile(0.99)));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BACK, Progress, Tally, line};
    use crate::bench::tally::Answer;

    #[test]
    fn lines() {
        let mut tally = Tally::new();
        let second = Duration::from_secs(1);
        assert_eq!(
            line(second, second, &tally),
            "   1 s         0/s  allowed 0, denied 0, degraded 0, errors 0"
        );
        let answer = Answer { allowed: 6, denied: 4, degraded: 2, refused: Vec::new() };
        tally.record(Ok(answer), 10, Duration::from_micros(250));
        tally.record(Err("503".into()), 10, second);
        let expected = "  12 s        20/s  allowed 6, denied 4, degraded 2, errors 10  p50 250 µs, p99 250 µs";
        assert_eq!(line(12 * second, second / 2, &tally), expected);

        for (rewrites, shown) in [
            (false, format!("{expected}\n{expected}\n")),
            (true, format!("{BACK}{expected}{BACK}{expected}{BACK}")),
        ] {
            let mut progress = Progress { out: Vec::new(), rewrites };
            progress.show(12 * second, second / 2, &tally);
            progress.show(12 * second, second / 2, &tally);
            progress.clear();
            assert_eq!(String::from_utf8(progress.out).unwrap(), shown);
        }
    }
}
