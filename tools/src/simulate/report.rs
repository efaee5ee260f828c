//! The simulation as text.

use std::io::{self, Write};

use super::{
    simulation::{AlgorithmRun, Simulation},
    timeline::{count_by_bin, format_time, most_within},
};

/// The most rows of the timeline; a longer load has more seconds in each.
const MAX_ROWS: u64 = 30;

/// Writes a table of the whole load, then one with a row for each interval of it.
pub(super) fn write(simulation: &Simulation, out: &mut impl Write) -> io::Result<()> {
    let Simulation { limit, cost, arrivals, runs, length, .. } = simulation;
    let (capacity, rate) = (limit.capacity(), limit.rate());
    writeln!(
        out,
        "capacity {capacity}, rate {rate}, cost {cost}: {} requests in {}",
        arrivals.len(),
        format_time(*length)
    )?;
    let window = format_time(simulation.window());
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
            format_time(longest_refusal(run, arrivals)),
            format_time(mean_wait(run)),
        )?;
    }
    let bin = length.div_ceil(MAX_ROWS).div_ceil(1_000_000) * 1_000_000;
    write!(out, "\n{:<10}{:>8}", "from", "requests")?;
    for run in runs {
        write!(out, "{:>16}", run.algorithm.name())?;
    }
    writeln!(out)?;
    let requests = count_by_bin(arrivals, *length, bin);
    let admitted: Vec<_> =
        runs.iter().map(|run| count_by_bin(&run.departures(arrivals), *length, bin)).collect();
    for (row, count) in requests.iter().enumerate() {
        write!(out, "{:<10}{count:>8}", format_time(row as u64 * bin))?;
        for column in &admitted {
            write!(out, "{:>16}", column[row])?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The longest time between two refusals with no admission in between, in microseconds.
fn longest_refusal(run: &AlgorithmRun, arrivals: &[u64]) -> u64 {
    let (mut start, mut longest) = (None, 0);
    for (arrival, delay) in arrivals.iter().zip(&run.delays) {
        start = if delay.is_some() { None } else { start.or(Some(*arrival)) };
        longest = longest.max(arrival - start.unwrap_or(*arrival));
    }
    longest
}

/// The mean wait of admitted requests, in microseconds.
fn mean_wait(run: &AlgorithmRun) -> u64 {
    let waits: Vec<u64> = run.delays.iter().filter_map(|delay| *delay).collect();
    waits.iter().sum::<u64>() / (waits.len() as u64).max(1)
}
