//! A histogram of latencies. Each bound is about one and a half times the previous one: six to a
//! power of ten.

use std::{
    io::{self, Write},
    time::Duration,
};

use hdrhistogram::{Histogram, iterators::IterationValue};
use serde::Serialize;

use super::duration;

/// The requests between the bound of the previous row and this one.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct HistogramRow {
    /// The bound, inclusive, in microseconds.
    up_to_us: u64,
    requests: u64,
}

/// The bounds within a power of ten, times ten.
const STEPS: [u64; 6] = [10, 15, 20, 30, 50, 70];
/// Characters in the longest bar.
const BAR_WIDTH: u64 = 50;

/// The rows of all requests, without empty rows at either end.
pub(super) fn rows(latency: &Histogram<u64>) -> Vec<HistogramRow> {
    let powers = (1..).map(|power| 10_u64.saturating_pow(power));
    let bounds = powers.flat_map(|power| STEPS.map(|step| step.saturating_mul(power) / 10));
    // The histogram rounds up to the highest value that it cannot tell apart; this is the lowest.
    let lowest = |value: &IterationValue<u64>| latency.lowest_equivalent(value.value_iterated_to());
    let mut values = latency.iter_recorded().peekable();
    let mut rows = Vec::new();
    for up_to_us in bounds {
        if values.peek().is_none() {
            break;
        }
        let bound = up_to_us.saturating_mul(1000);
        let mut requests = 0;
        while let Some(value) = values.next_if(|value| lowest(value) <= bound) {
            requests += value.count_at_value();
        }
        if requests > 0 || !rows.is_empty() {
            rows.push(HistogramRow { up_to_us, requests });
        }
    }
    rows
}

/// Writes a line with a bar for each row.
pub(super) fn write_bars(rows: &[HistogramRow], out: &mut impl Write) -> io::Result<()> {
    let most = rows.iter().map(|row| row.requests).max().unwrap_or(1).max(1);
    for HistogramRow { up_to_us, requests } in rows {
        let up_to = duration::format(Duration::from_micros(*up_to_us));
        // Rounded up: even one request has a bar.
        let bar = "#".repeat((requests * BAR_WIDTH).div_ceil(most) as usize);
        writeln!(out, "{}", format!("up to {up_to:>7} {requests:>12}  {bar}").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::{HistogramRow, rows, write_bars};

    #[test]
    fn every_request_is_in_one_row() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        assert_eq!(rows(&latency), []);
        for (micros, count) in [(120, 1), (149, 2), (151, 100), (690, 3), (1_000_000_000, 1)] {
            latency.record_n(micros * 1000, count).unwrap();
        }
        let rows = rows(&latency);
        let row = |up_to_us, requests| HistogramRow { up_to_us, requests };
        assert_eq!(
            rows[..6],
            [row(150, 3), row(200, 100), row(300, 0), row(500, 0), row(700, 3), row(1000, 0)]
        );
        assert_eq!(rows.last(), Some(&row(1_000_000_000, 1)));
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), latency.len());

        let mut out = Vec::new();
        write_bars(&rows[..3], &mut out).unwrap();
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
        assert_eq!(rows[0], HistogramRow { up_to_us: 10, requests: 1 });
        assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 2);
    }
}
