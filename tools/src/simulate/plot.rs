//! The simulation as a picture in SVG, written by hand, since it is a few rectangles and lines.
//!
//! One panel for each algorithm on a common time axis: pale bars for requests, dark bars for
//! admitted requests, a line for the tokens that could still be admitted.

use std::fmt::Write;

use super::{
    simulation::{AlgorithmRun, Simulation},
    timeline::{count_by_bin, format_time},
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 56.0;
const TOP: f64 = 64.0;
const PANEL: f64 = 120.0;
const GAP: f64 = 44.0;
const BINS: u64 = 60;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2937}\
.title{font-size:16px;font-weight:600}.name{font-weight:600}.small{font-size:11px;fill:#6b7280}\
.requests{fill:#dbe3ee}.admitted{fill:#2563eb}.remaining{fill:none;stroke:#ea580c;stroke-width:1.6}\
.axis{stroke:#9ca3af}.grid{stroke:#e5e7eb}";

/// The bars and the line of one algorithm.
struct Panel {
    /// The y coordinate of the upper edge.
    top: f64,
    /// The requests in the longest bar.
    highest: f64,
    /// Microseconds in each bar.
    bin: u64,
    /// The length of the time axis, in microseconds.
    length: f64,
}

/// Draws the picture.
pub(super) fn svg(simulation: &Simulation) -> String {
    let Simulation { limit, cost, arrivals, length, runs } = simulation;
    let bin = round_up(length / BINS);
    let requests = count_by_bin(arrivals, *length, bin);
    let admitted: Vec<_> =
        runs.iter().map(|run| count_by_bin(&run.departures(arrivals), *length, bin)).collect();
    let highest = admitted.iter().chain([&requests]).flatten().copied().max().unwrap_or(1).max(1);
    let height = TOP + runs.len() as f64 * (PANEL + GAP) + 8.0;
    let mut svg = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Four rate limiting algorithms under one load\"><style>{STYLE}</style>\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">capacity {}, rate {}, cost {cost}</text>",
        limit.capacity(),
        limit.rate(),
    );
    legend(&mut svg, bin);
    for (row, (run, admitted)) in runs.iter().zip(&admitted).enumerate() {
        let panel = Panel {
            top: TOP + row as f64 * (PANEL + GAP) + 16.0,
            highest: highest as f64,
            bin,
            length: *length as f64,
        };
        panel.draw(&mut svg, simulation, run, &requests, admitted);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, bin: u64) {
    let entries = [
        ("requests", format!("requests in {}", format_time(bin))),
        ("admitted", "admitted".to_owned()),
        ("remaining", "tokens left (right axis)".to_owned()),
    ];
    let mut x = LEFT;
    for (class, text) in entries {
        let mark = match class {
            "remaining" => format!("<path class=\"remaining\" d=\"M{x} 44h14\"/>"),
            _ => format!("<rect class=\"{class}\" x=\"{x}\" y=\"38\" width=\"14\" height=\"11\"/>"),
        };
        let _ = write!(svg, "{mark}<text x=\"{}\" y=\"48\">{text}</text>", x + 20.0);
        x += 48.0 + text.len() as f64 * 7.0;
    }
}

// === impl Panel ===

impl Panel {
    fn draw(
        &self,
        svg: &mut String,
        simulation: &Simulation,
        run: &AlgorithmRun,
        requests: &[u64],
        admitted: &[u64],
    ) {
        let (bottom, right) = (self.top + PANEL, WIDTH - RIGHT);
        let admitted_count = run.departures(&simulation.arrivals).len();
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{LEFT}\" y=\"{}\">{}</text>\
             <text class=\"small\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">\
             {admitted_count} of {} admitted</text>",
            self.top - 6.0,
            run.algorithm.name(),
            self.top - 6.0,
            simulation.arrivals.len(),
        );
        self.bars(svg, "requests", requests);
        self.bars(svg, "admitted", admitted);
        self.line(svg, simulation.limit.capacity().tokens(), &run.remaining);
        let capacity = simulation.limit.capacity();
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>\
             <text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <text class=\"small\" x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
             <text class=\"small\" x=\"{}\" y=\"{}\">{capacity}</text>\
             <text class=\"small\" x=\"{}\" y=\"{bottom}\">0</text>",
            LEFT - 6.0,
            self.top + 10.0,
            self.highest,
            LEFT - 6.0,
            right + 6.0,
            self.top + 10.0,
            right + 6.0,
        );
        let tick = round_up((self.length / 12.0) as u64);
        let mut at = 0;
        while at as f64 <= self.length {
            let x = self.x(at);
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{x:.1} {bottom}v4\"/>\
                 <text class=\"small\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                format_time(at),
            );
            at += tick;
        }
    }

    fn bars(&self, svg: &mut String, class: &str, counts: &[u64]) {
        let width = (self.x(self.bin) - self.x(0)).max(1.0) - 0.6;
        let mut path = String::new();
        for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = *count as f64 / self.highest * PANEL;
            let (x, y) = (self.x(index as u64 * self.bin), self.top + PANEL - height);
            let _ = write!(path, "M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z");
        }
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// Draws the remaining tokens, given as samples at even intervals.
    fn line(&self, svg: &mut String, capacity: f64, remaining: &[f64]) {
        let step = (WIDTH - LEFT - RIGHT) / remaining.len() as f64;
        let mut path = String::new();
        for (index, tokens) in remaining.iter().enumerate() {
            let x = LEFT + index as f64 * step;
            let y = self.top + PANEL * (1.0 - tokens.max(0.0) / capacity);
            let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        let _ = write!(svg, "<path class=\"remaining\" d=\"{path}\"/>");
    }

    /// The x coordinate of a time in microseconds.
    fn x(&self, at: u64) -> f64 {
        LEFT + at as f64 / self.length * (WIDTH - LEFT - RIGHT)
    }
}

/// Rounds up to 1, 2 or 5 times a power of ten.
fn round_up(least: u64) -> u64 {
    let mut unit = 1;
    loop {
        for step in [1, 2, 5] {
            if unit * step >= least {
                return unit * step;
            }
        }
        unit *= 10;
    }
}
