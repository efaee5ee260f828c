//! Progress on stderr: a line each second.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use super::{duration, stats::LoadStats};

/// The progress line.
pub(super) struct Progress<W> {
    out: W,
    style: LineStyle,
}

/// How one line follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineStyle {
    /// Each replaces the last, on a terminal.
    Overwrite,
    /// Each is a line of its own.
    Append,
}

/// Moves to the start of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[2K";

// === impl Progress ===

impl Progress<io::Stderr> {
    pub(super) fn on_stderr() -> Self {
        let is_terminal = io::stderr().is_terminal();
        let style = if is_terminal { LineStyle::Overwrite } else { LineStyle::Append };
        Self { out: io::stderr(), style }
    }
}

impl<W: Write> Progress<W> {
    /// Shows the counts of the last `interval`. Errors are ignored: a closed stderr does not end
    /// the run.
    pub(super) fn show(&mut self, elapsed: Duration, interval: Duration, stats: &LoadStats) {
        let line = line(elapsed, interval, stats);
        let _ = match self.style {
            LineStyle::Overwrite => write!(self.out, "{CLEAR_LINE}{line}"),
            LineStyle::Append => writeln!(self.out, "{line}"),
        };
        let _ = self.out.flush();
    }

    /// Removes the line from a terminal, before other output.
    pub(super) fn clear(&mut self) {
        if self.style == LineStyle::Overwrite {
            let _ = write!(self.out, "{CLEAR_LINE}");
            let _ = self.out.flush();
        }
    }
}

fn line(elapsed: Duration, interval: Duration, stats: &LoadStats) -> String {
    let LoadStats { allowed, denied, degraded, .. } = stats;
    let rate = stats.decided() as f64 / interval.as_secs_f64();
    let mut line = format!(
        "{:>4} s {rate:>9.0}/s  allowed {allowed}, denied {denied}, degraded {degraded}, errors {}",
        elapsed.as_secs_f64().round(),
        stats.failed()
    );
    if !stats.latency.is_empty() {
        let [p50, p99] = [0.5, 0.99].map(|share| duration::format(stats.quantile(share)));
        line += &format!("  p50 {p50}, p99 {p99}");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CLEAR_LINE, LineStyle, LoadStats, Progress, line};
    use crate::bench::stats::CheckCounts;

    #[test]
    fn progress_is_a_line_of_its_own_or_overwritten() {
        let mut stats = LoadStats::new();
        let second = Duration::from_secs(1);
        assert_eq!(
            line(second, second, &stats),
            "   1 s         0/s  allowed 0, denied 0, degraded 0, errors 0"
        );
        let counts = CheckCounts { allowed: 6, denied: 4, degraded: 2, errors: Vec::new() };
        stats.record(Ok(counts), 10, Duration::from_micros(250));
        stats.record(Err("503".into()), 10, second);
        let expected = "  12 s        20/s  allowed 6, denied 4, degraded 2, errors 10  \
                        p50 250 µs, p99 250 µs";
        assert_eq!(line(12 * second, second / 2, &stats), expected);

        for (style, output) in [
            (LineStyle::Append, format!("{expected}\n{expected}\n")),
            (
                LineStyle::Overwrite,
                format!("{CLEAR_LINE}{expected}{CLEAR_LINE}{expected}{CLEAR_LINE}"),
            ),
        ] {
            let mut progress = Progress { out: Vec::new(), style };
            progress.show(12 * second, second / 2, &stats);
            progress.show(12 * second, second / 2, &stats);
            progress.clear();
            assert_eq!(String::from_utf8(progress.out).unwrap(), output);
        }
    }
}
