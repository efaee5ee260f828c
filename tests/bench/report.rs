//! The tables of the report.

use std::fmt::Write;

use crate::comparisons::{COMPARISONS, Target};
use crate::raw::Record;
use crate::sample::Spread;

/// The report in Markdown: the comparisons with their targets, then the measurements.
pub(crate) fn report(records: &[Record]) -> String {
    [comparisons(records), instructions(records), latencies(records), medians(records)].concat()
}

/// The comparisons that there are measurements for.
fn comparisons(records: &[Record]) -> String {
    let mut rows = Vec::new();
    for comparison in COMPARISONS {
        let Some(spread) = comparison.evaluate(records) else { continue };
        let Spread { median, min, max } = spread;
        let target = match comparison.target {
            Target::AtLeast(min) => format!("≥ {min}"),
            Target::AtMost(max) => format!("≤ {max}"),
            Target::None => String::new(),
        };
        let is_met = if target.is_empty() {
            ""
        } else if comparison.target.is_met(median) {
            "yes"
        } else {
            "no"
        };
        let spread = if min == max { String::new() } else { format!("{min:.3} .. {max:.3}") };
        rows.push(
            [
                comparison.title,
                comparison.reference_title,
                &format!("{median:.3}"),
                &spread,
                &target,
                is_met,
            ]
            .map(str::to_owned),
        );
    }
    table("Results", ["subject", "reference", "median", "spread", "target", "met"], &rows)
}

/// The instruction counts, which have no spread.
pub(crate) fn instructions(records: &[Record]) -> String {
    let counted = records.iter().filter(|record| record.unit == "instructions");
    let rows: Vec<_> = counted.map(|it| [it.variant.clone(), format!("{:.0}", it.value)]).collect();
    table("Instructions in user space (callgrind)", ["operation", "instructions"], &rows)
}

/// The latencies, with a line for each load.
fn latencies(records: &[Record]) -> String {
    let latency = |server: &str, load: u32, quantile: &str| {
        let variant = format!("{server} {load}% {quantile}");
        let matching = records.iter().filter(|it| it.row == "latency" && it.variant == variant);
        Spread::of(matching.map(|it| it.value)).map(|it| format!("{:.0}", it.median))
    };
    let row = |load: u32| {
        let cell = |server| {
            Some([latency(server, load, "p50")?, latency(server, load, "p99")?].join(" / "))
        };
        Some([format!("{load}%"), cell("bare")?, cell("memory")?, cell("Redis, module")?])
    };
    let rows: Vec<_> = (1..100).filter_map(row).collect();
    let head = ["load", "bare handler", "memory", "Redis, module"];
    table("Latency by load: p50 / p99, µs", head, &rows)
}

/// The median of each variant of each row.
fn medians(records: &[Record]) -> String {
    let mut variants: Vec<(&str, &str, &str)> = Vec::new();
    for record in records.iter().filter(|it| it.unit != "instructions" && it.unit != "µs") {
        let variant = (record.row.as_str(), record.variant.as_str(), record.unit.as_str());
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    let rows: Vec<_> = variants
        .into_iter()
        .map(|(row, variant, unit)| {
            let records = records
                .iter()
                .filter(|it| (it.row.as_str(), it.variant.as_str()) == (row, variant));
            let value = Spread::of(records.clone().map(|it| it.value)).map(|it| number(it.median));
            let cpu = Spread::of(records.filter_map(|it| it.cpu_us));
            let cpu = cpu.map_or_else(String::new, |it| format!("{:.3}", it.median));
            [row.to_owned(), variant.to_owned(), value.unwrap_or_default(), unit.to_owned(), cpu]
        })
        .collect();
    table("Medians", ["row", "variant", "median", "unit", "server CPU, µs per operation"], &rows)
}

/// Formats a value with its significant digits.
fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// A Markdown table whose columns are aligned in the source too; empty if there are no rows.
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
            // Writing to a string cannot fail.
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
    fn the_columns_of_a_table_are_aligned() {
        let rows = [["a".to_owned(), "≥ 1".to_owned()], ["long".to_owned(), String::new()]];
        let expected = "## T\n\n| x    | y   |\n| ---- | --- |\n\
                        | a    | ≥ 1 |\n| long |     |\n\n";
        assert_eq!(table("T", ["x", "y"], &rows), expected);
        assert_eq!(table::<1>("T", ["x"], &[]), "");
    }

    #[test]
    fn large_numbers_have_no_decimals() {
        assert_eq!(number(1_234_567.8), "1234568");
        assert_eq!(number(0.12345), "0.123");
    }
}
