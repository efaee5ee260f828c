//! Charts of the records.

use std::fs;
use std::path::Path;

use crate::raw::Record;
use crate::rows::{PEERS_HTTP, PEERS_REDIS};
use crate::sample::Spread;
use crate::svg::{COLOURS, Svg, WIDTH};

/// The servers in the latency chart: name in the records, and label.
const SERVERS: [(&str, &str); 3] = [
    ("bare", "bare actix handler"),
    ("memory", "RL, memory"),
    ("Redis, module", "RL, Redis module"),
];

/// Draws the charts that there are records for into this folder, and returns their names.
pub(crate) fn draw(records: &[Record], folder: &Path) -> Vec<&'static str> {
    let charts = [("throughput.svg", throughput(records)), ("latency.svg", latency(records))];
    let drawn = charts.into_iter().filter_map(|(name, svg)| {
        fs::write(folder.join(name), svg?).expect("to write a chart");
        Some(name)
    });
    drawn.collect()
}

/// A bar chart of the checks a second of each peer, over HTTP and over the Redis protocol.
fn throughput(records: &[Record]) -> Option<String> {
    const BAR: f64 = 20.0;
    const STEP: f64 = 28.0;
    const LEFT: f64 = 240.0;
    let panels = [
        (PEERS_HTTP, "HTTP, one check a request: 64 connections, 1 worker"),
        (PEERS_REDIS, "Redis protocol: 50 connections, pipeline of 16"),
    ];
    let panels: Vec<_> = panels
        .into_iter()
        .map(|(row, title)| (title, medians(records, row)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let bars: usize = panels.iter().map(|(_, bars)| bars.len()).sum();
    let height = panels.len() as f64 * 52.0 + bars as f64 * STEP + 4.0;
    let mut svg = Svg::new(height, "Checks a second of rate limiters under the same load");
    let mut y = 0.0;
    for (title, bars) in &panels {
        svg.text("title", 8.0, y + 24.0, &format!("Checks a second. {title}"));
        y += 40.0;
        let max = bars.iter().map(|(_, spread)| spread.max).fold(1.0, f64::max);
        for (name, spread) in bars {
            let scale = (WIDTH - LEFT - 100.0) / max;
            let colour = COLOURS[usize::from(name.starts_with("RL"))];
            svg.text("end", LEFT - 10.0, y + 15.0, name);
            svg.bar([LEFT, y, spread.median * scale, BAR], colour);
            let text = thousands(spread.median);
            svg.text("", LEFT + spread.median * scale + 8.0, y + 15.0, &text);
            y += STEP;
        }
        y += 12.0;
    }
    (!panels.is_empty()).then(|| svg.end())
}

/// The variants of a row, in descending order of their medians.
fn medians(records: &[Record], row: &str) -> Vec<(String, Spread)> {
    let mut variants: Vec<&str> = Vec::new();
    for record in records.iter().filter(|it| it.row == row) {
        if !variants.contains(&record.variant.as_str()) {
            variants.push(&record.variant);
        }
    }
    let median = |variant: &str| {
        let matching = records.iter().filter(|it| it.row == row && it.variant == variant);
        Spread::of(matching.map(|it| it.value)).map(|spread| (variant.to_owned(), spread))
    };
    let mut bars: Vec<_> = variants.into_iter().filter_map(median).collect();
    bars.sort_by(|a, b| b.1.median.total_cmp(&a.1.median));
    bars
}

/// A line chart with a logarithmic scale: median and 99th percentile of each server, by load.
fn latency(records: &[Record]) -> Option<String> {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 66.0;
    const HEIGHT: f64 = 260.0;
    let right = WIDTH - 24.0;
    let latencies = |server: &str, quantile: &str| -> Vec<(f64, f64)> {
        let at = |load: u32| {
            let variant = format!("{server} {load}% {quantile}");
            let matching = records.iter().filter(|it| it.row == "latency" && it.variant == variant);
            Some((f64::from(load), Spread::of(matching.map(|it| it.value))?.median))
        };
        (1..100).filter_map(at).collect()
    };
    let all =
        SERVERS.iter().flat_map(|(server, _)| [latencies(server, "p50"), latencies(server, "p99")]);
    let (low, high) = all.flatten().fold((f64::MAX, 0.0f64), |(low, high), (_, latency)| {
        (low.min(latency), high.max(latency))
    });
    if high == 0.0 {
        return None;
    }
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    let position = |(load, latency): (f64, f64)| {
        let up = (latency.log10() - low) / (high - low).max(1.0);
        (LEFT + load / 100.0 * (right - LEFT), TOP + HEIGHT * (1.0 - up))
    };
    let mut svg = Svg::new(TOP + HEIGHT + 48.0, "Latency of a request, by load");
    svg.text(
        "title",
        8.0,
        24.0,
        "Latency of POST /check, by load: median, and 99th percentile (dashed)",
    );
    for power in (low as i32)..=(high as i32) {
        let (_, y) = position((0.0, 10f64.powi(power)));
        svg.grid([LEFT, y, right, y]);
        svg.text("end", LEFT - 8.0, y + 4.0, &duration(power));
    }
    for load in (0..=100).step_by(10) {
        let (x, _) = position((f64::from(load), 1.0));
        svg.text("middle", x, TOP + HEIGHT + 20.0, &format!("{load}%"));
    }
    svg.text(
        "middle",
        f64::midpoint(LEFT, right),
        TOP + HEIGHT + 40.0,
        "of the maximum throughput of the bare handler",
    );
    for ((i, (server, name)), colour) in SERVERS.iter().enumerate().zip(COLOURS) {
        let x = LEFT + 180.0 * i as f64;
        svg.bar([x, 38.0, 18.0, 4.0], colour);
        svg.text("", x + 26.0, 44.0, name);
        for (quantile, class) in [("p50", ""), ("p99", "dash")] {
            let points: Vec<_> = latencies(server, quantile).into_iter().map(position).collect();
            svg.line(class, &points, colour);
        }
    }
    Some(svg.end())
}

/// The label of `10^power` microseconds.
fn duration(power: i32) -> String {
    match power {
        ..3 => format!("{} µs", 10f64.powi(power)),
        3..6 => format!("{} ms", 10f64.powi(power - 3)),
        6.. => format!("{} s", 10f64.powi(power - 6)),
    }
}

/// Formats `1234567.8` as `1,234,568`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::{duration, latency, thousands, throughput};

    #[test]
    fn numbers_have_separators_and_units() {
        assert_eq!(["1,234,568", "999", "1,000"], [1_234_567.8, 999.0, 1000.0].map(thousands));
        assert_eq!(["10 µs", "1 ms", "100 ms", "1 s"], [1, 3, 5, 6].map(duration));
    }

    #[test]
    fn without_records_there_are_no_charts() {
        assert!(throughput(&[]).is_none() && latency(&[]).is_none());
    }
}
