//! The simulation in words and numbers.

use std::io::{self, Write};

use super::{Run, Simulation};

/// Rows of the time line; a longer load gets longer rows.
const ROWS: u64 = 30;

/// Writes a table of the whole, then one of each stretch of time.
pub(super) fn write(simulation: &Simulation, out: &mut impl Write) -> io::Result<()> {
    let Simulation { limit, cost, arrivals, runs, length, .. } = simulation;
    let (capacity, rate) = (limit.capacity(), limit.rate());
    writeln!(
        out,
        "capacity {capacity}, rate {rate}, cost {cost}: {} requests in {}",
        arrivals.len(),
        span(*length)
    )?;
    let window = span(simulation.window());
    writeln!(
        out,
        "\n{:<16}{:>9}{:>9}  {:>16}{:>16}{:>12}",
        "",
        "admitted",
        "refused",
        format!("most in {window}"),
        "longest refusal",
        "mean wait"
    )?;
    for run in runs {
        let departures = run.departures(arrivals);
        writeln!(
            out,
            "{:<16}{:>9}{:>9}  {:>16}{:>16}{:>12}",
            run.algorithm.name(),
            departures.len(),
            arrivals.len() - departures.len(),
            most_within(&departures, simulation.window()),
            span(longest_refusal(run, arrivals)),
            span(mean_wait(run)),
        )?;
    }
    let bin = length.div_ceil(ROWS).div_ceil(1_000_000) * 1_000_000;
    write!(out, "\n{:<10}{:>8}", "from", "asked")?;
    for run in runs {
        write!(out, "{:>16}", run.algorithm.name())?;
    }
    writeln!(out)?;
    let asked = bins(arrivals, *length, bin);
    let admitted: Vec<_> =
        runs.iter().map(|run| bins(&run.departures(arrivals), *length, bin)).collect();
    for (row, asked) in asked.iter().enumerate() {
        write!(out, "{:<10}{asked:>8}", span(row as u64 * bin))?;
        for column in &admitted {
            write!(out, "{:>16}", column[row])?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// How many of the moments lie in each bin, in order; what comes after the load is in the last bins, of
/// which there are as many as it takes.
pub(super) fn bins(moments: &[u64], length: u64, bin: u64) -> Vec<u64> {
    let mut bins = vec![0; usize::try_from(length.div_ceil(bin)).unwrap_or(0)];
    for moment in moments {
        let at = usize::try_from(moment / bin).unwrap_or(usize::MAX);
        if let Some(count) = bins.get_mut(at) {
            *count += 1;
        }
    }
    bins
}

/// The most of the moments (ascending) within any span shorter than `window`.
pub(super) fn most_within(moments: &[u64], window: u64) -> usize {
    let (mut first, mut most) = (0, 0);
    for (last, moment) in moments.iter().enumerate() {
        while moments[first] + window <= *moment {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// From the first refusal of a row of them to the last, in microseconds.
fn longest_refusal(run: &Run, arrivals: &[u64]) -> u64 {
    let (mut since, mut longest) = (None, 0);
    for (at, delay) in arrivals.iter().zip(&run.delays) {
        since = if delay.is_some() { None } else { since.or(Some(*at)) };
        longest = longest.max(at - since.unwrap_or(*at));
    }
    longest
}

/// Of the admitted, in microseconds.
fn mean_wait(run: &Run) -> u64 {
    let waits: Vec<u64> = run.delays.iter().filter_map(|delay| *delay).collect();
    waits.iter().sum::<u64>() / (waits.len() as u64).max(1)
}

/// A time as people write it, to the millisecond or three digits.
pub(super) fn span(micros: u64) -> String {
    match micros {
        0 => "0".to_owned(),
        1..1_000_000 => format!("{} ms", micros.div_ceil(1000)),
        1_000_000..600_000_000 => {
            let text = format!("{:.2}", micros as f64 / 1e6);
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        600_000_000..36_000_000_000 => format!("{} min", micros / 60_000_000),
        _ => format!("{} h", micros / 3_600_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{bins, most_within, span};

    #[test]
    fn counting() {
        assert_eq!(bins(&[0, 9, 10, 25, 40], 30, 10), [2, 1, 1]);
        assert_eq!(most_within(&[], 10), 0);
        assert_eq!(most_within(&[0, 1, 9, 10, 10, 11, 30], 10), 4);
    }

    #[test]
    fn spans() {
        for (micros, text) in [
            (0, "0"),
            (1, "1 ms"),
            (250_000, "250 ms"),
            (1_000_000, "1 s"),
            (12_340_000, "12.34 s"),
            (90_000_000, "90 s"),
            (3_600_000_000, "60 min"),
            (86_400_000_000, "24 h"),
        ] {
            assert_eq!(span(micros), text);
        }
    }
}
