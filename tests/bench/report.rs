//! The tables that are made of the records.

use std::fmt::Write;

use crate::figures::{FIGURES, Target};
use crate::raw::Record;
use crate::sample::Spread;

/// Markdown: the figures with their targets, then what they were made of.
pub(crate) fn report(records: &[Record]) -> String {
    [figures(records), instructions(records), latencies(records), medians(records)].concat()
}

/// The figures, as far as there are measurements.
fn figures(records: &[Record]) -> String {
    let mut rows = Vec::new();
    for figure in FIGURES {
        let Some(spread) = figure.of(records) else { continue };
        let Spread { median, min, max } = spread;
        let (target, met) = match figure.target {
            Target::AtLeast(least) => (format!("≥ {least}"), figure.target.is_met(median)),
            Target::AtMost(most) => (format!("≤ {most}"), figure.target.is_met(median)),
            Target::None => (String::new(), true),
        };
        let met = if target.is_empty() {
            ""
        } else if met {
            "yes"
        } else {
            "no"
        };
        let spread = if min == max { String::new() } else { format!("{min:.3} .. {max:.3}") };
        rows.push(
            [figure.what, figure.against, &format!("{median:.3}"), &spread, &target, met]
                .map(str::to_owned),
        );
    }
    table("What it comes to", ["what", "against", "median", "spread", "target", "met"], &rows)
}

/// Instructions, which have no spread.
pub(crate) fn instructions(records: &[Record]) -> String {
    let counted = records.iter().filter(|record| record.unit == "instructions");
    let rows: Vec<_> = counted.map(|it| [it.side.clone(), format!("{:.0}", it.value)]).collect();
    table("Instructions in user space (callgrind)", ["of", "instructions"], &rows)
}

/// A line for each load.
fn latencies(records: &[Record]) -> String {
    let wait = |server: &str, load: u32, quantile: &str| {
        let side = format!("{server} {load}% {quantile}");
        let of_side = records.iter().filter(|it| it.row == "latency" && it.side == side);
        Spread::of(of_side.map(|it| it.value)).map(|it| format!("{:.0}", it.median))
    };
    let row = |load: u32| {
        let of =
            |server| Some([wait(server, load, "p50")?, wait(server, load, "p99")?].join(" / "));
        Some([format!("{load}%"), of("bare")?, of("memory")?, of("Redis, module")?])
    };
    let rows: Vec<_> = (1..100).filter_map(row).collect();
    let head = ["load", "bare handler", "memory", "Redis, module"];
    table("Latency by load: p50 / p99, µs", head, &rows)
}

/// The median of each side of each row.
fn medians(records: &[Record]) -> String {
    let mut sides: Vec<(&str, &str, &str)> = Vec::new();
    for record in records.iter().filter(|it| it.unit != "instructions" && it.unit != "µs") {
        let side = (record.row.as_str(), record.side.as_str(), record.unit.as_str());
        if !sides.contains(&side) {
            sides.push(side);
        }
    }
    let rows: Vec<_> = sides
        .into_iter()
        .map(|(row, side, unit)| {
            let records =
                records.iter().filter(|it| (it.row.as_str(), it.side.as_str()) == (row, side));
            let value = Spread::of(records.clone().map(|it| it.value)).map(|it| number(it.median));
            let cpu = Spread::of(records.filter_map(|it| it.cpu_us));
            let cpu = cpu.map_or_else(String::new, |it| format!("{:.3}", it.median));
            [row.to_owned(), side.to_owned(), value.unwrap_or_default(), unit.to_owned(), cpu]
        })
        .collect();
    table("Medians", ["row", "side", "median", "unit", "server CPU, µs each"], &rows)
}

/// With as many digits as mean something.
fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// A table in Markdown whose columns also line up as text; nothing without rows.
fn table<const N: usize>(title: &str, head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = head.map(str::to_owned);
    let width = |i: usize| {
        let cells = rows.iter().chain([&head]).map(|row| row[i].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = format!("## {title}\n\n");
    let mut line = |cells: &[String; N]| {
        for (cell, width) in cells.iter().zip(widths) {
            // Writing to a string does not fail.
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
    };
    line(&head);
    line(&std::array::from_fn(|i| "-".repeat(widths[i])));
    rows.iter().for_each(line);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::{number, table};

    #[test]
    fn tables_line_up() {
        let rows = [["a".to_owned(), "≥ 1".to_owned()], ["long".to_owned(), String::new()]];
        let expected = "## T\n\n| x    | y   |\n| ---- | --- |\n| a    | ≥ 1 |\n| long |     |\n\n";
        assert_eq!(table("T", ["x", "y"], &rows), expected);
        assert_eq!(table::<1>("T", ["x"], &[]), "");
    }

    #[test]
    fn numbers() {
        assert_eq!(number(1_234_567.8), "1234568");
        assert_eq!(number(0.12345), "0.123");
    }
}
