//! Latencies by rows, each bound about one and a half times the one before: six to a power of ten.

use std::{
    io::{self, Write},
    time::Duration,
};

use hdrhistogram::{Histogram, iterators::IterationValue};
use serde::Serialize;

/// So many requests took longer than the row before says, and at most this.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Row {
    /// Microseconds.
    up_to_us: u64,
    requests: u64,
}

/// Bounds, tenfold.
const STEPS: [u64; 6] = [10, 15, 20, 30, 50, 70];
/// Signs in the longest bar.
const BAR: u64 = 50;

/// The rows that hold all there is, without empty ones at either end.
pub(super) fn rows(latency: &Histogram<u64>) -> Vec<Row> {
    let powers = (1..).map(|power| 10_u64.saturating_pow(power));
    let bounds = powers.flat_map(|power| STEPS.map(|step| step.saturating_mul(power) / 10));
    // The least of the times that are one to it.
    let at = |value: &IterationValue<u64>| latency.lowest_equivalent(value.value_iterated_to());
    let mut values = latency.iter_recorded().peekable();
    let mut rows = Vec::new();
    for up_to_us in bounds {
        if values.peek().is_none() {
            break;
        }
        let bound = up_to_us.saturating_mul(1000);
        let mut requests = 0;
        while let Some(value) = values.next_if(|value| at(value) <= bound) {
            requests += value.count_at_value();
        }
        if requests > 0 || !rows.is_empty() {
            rows.push(Row { up_to_us, requests });
        }
    }
    rows
}

/// A line for each row.
pub(super) fn bars(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let most = rows.iter().map(|row| row.requests).max().unwrap_or(1).max(1);
    for Row { up_to_us, requests } in rows {
        let up_to = span(Duration::from_micros(*up_to_us));
        // What is there at all has a bar.
        let bar = "#".repeat((requests * BAR).div_ceil(most) as usize);
        writeln!(out, "{}", format!("up to {up_to:>7} {requests:>12}  {bar}").trim_end())?;
    }
    Ok(())
}

/// A time, to three digits.
pub(super) fn span(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
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

    use hdrhistogram::Histogram;

    use super::{Row, bars, rows, span};

    #[test]
    fn every_request_is_in_one_row() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        assert_eq!(rows(&latency), []);
        for (micros, count) in [(120, 1), (149, 2), (151, 100), (690, 3), (1_000_000_000, 1)] {
            latency.record_n(micros * 1000, count).unwrap();
        }
        let rows = rows(&latency);
        let row = |up_to_us, requests| Row { up_to_us, requests };
        assert_eq!(
            rows[..6],
            [row(150, 3), row(200, 100), row(300, 0), row(500, 0), row(700, 3), row(1000, 0)]
        );
        assert_eq!(rows.last(), Some(&row(1_000_000_000, 1)));
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), latency.len());

        let mut out = Vec::new();
        bars(&rows[..3], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let bars: Vec<_> = text.lines().map(|line| line.matches('#').count()).collect();
        assert_eq!(bars, [2, 50, 0], "{text}");
        assert!(text.starts_with("up to  150 µs            3  ##\n"), "{text}");
        assert!(text.ends_with("up to  300 µs            0\n"), "{text}");
    }

    #[test]
    fn extremes_have_rows() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        for nanos in [1, u64::MAX] {
            latency.record(nanos).unwrap();
        }
        let rows = rows(&latency);
        assert_eq!(rows[0], Row { up_to_us: 10, requests: 1 });
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 2);
    }

    #[test]
    fn spans() {
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
            assert_eq!(span(Duration::from_nanos(nanos)), text);
        }
    }
}
