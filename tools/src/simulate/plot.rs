//! The simulation as a picture: SVG, written by hand, since it is a few rectangles and lines.
//!
//! One panel for each algorithm on a common axis of time: pale bars for what was asked, full bars for
//! what went on, a line for what could still be admitted.

use std::fmt::Write;

use super::{
    Run, Simulation,
    report::{bins, span},
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
.asked{fill:#dbe3ee}.admitted{fill:#2563eb}.left{fill:none;stroke:#ea580c;stroke-width:1.6}\
.axis{stroke:#9ca3af}.grid{stroke:#e5e7eb}";

/// The whole picture.
pub(super) fn svg(simulation: &Simulation) -> String {
    let Simulation { limit, cost, arrivals, length, runs } = simulation;
    let bin = nice(length / BINS);
    let asked = bins(arrivals, *length, bin);
    let admitted: Vec<_> =
        runs.iter().map(|run| bins(&run.departures(arrivals), *length, bin)).collect();
    let highest = admitted.iter().chain([&asked]).flatten().copied().max().unwrap_or(1).max(1);
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
        panel.draw(&mut svg, simulation, run, &asked, admitted);
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, bin: u64) {
    let entries = [
        ("asked", format!("asked in {}", span(bin))),
        ("admitted", "let go on".to_owned()),
        ("left", "what is left (right axis)".to_owned()),
    ];
    let mut x = LEFT;
    for (class, text) in entries {
        let mark = match class {
            "left" => format!("<path class=\"left\" d=\"M{x} 44h14\"/>"),
            _ => format!("<rect class=\"{class}\" x=\"{x}\" y=\"38\" width=\"14\" height=\"11\"/>"),
        };
        let _ = write!(svg, "{mark}<text x=\"{}\" y=\"48\">{text}</text>", x + 20.0);
        x += 48.0 + text.len() as f64 * 7.0;
    }
}

struct Panel {
    top: f64,
    highest: f64,
    /// Microseconds.
    bin: u64,
    length: f64,
}

// === impl Panel ===

impl Panel {
    fn draw(
        &self,
        svg: &mut String,
        simulation: &Simulation,
        run: &Run,
        asked: &[u64],
        admitted: &[u64],
    ) {
        let (bottom, right) = (self.top + PANEL, WIDTH - RIGHT);
        let departed = run.departures(&simulation.arrivals).len();
        let _ = write!(
            svg,
            "<text class=\"name\" x=\"{LEFT}\" y=\"{}\">{}</text>\
             <text class=\"small\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{departed} of {} let go on</text>",
            self.top - 6.0,
            run.algorithm.name(),
            self.top - 6.0,
            simulation.arrivals.len(),
        );
        self.bars(svg, "asked", asked);
        self.bars(svg, "admitted", admitted);
        self.line(svg, simulation.limit.capacity().tokens(), &run.left);
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
        let tick = nice((self.length / 12.0) as u64);
        let mut at = 0;
        while at as f64 <= self.length {
            let x = self.x(at);
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{x:.1} {bottom}v4\"/>\
                 <text class=\"small\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                span(at),
            );
            at += tick;
        }
    }

    fn bars(&self, svg: &mut String, class: &str, counts: &[u64]) {
        let width = (self.x(self.bin) - self.x(0)).max(1.0) - 0.6;
        let mut path = String::new();
        for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let tall = *count as f64 / self.highest * PANEL;
            let (x, y) = (self.x(at as u64 * self.bin), self.top + PANEL - tall);
            let _ = write!(path, "M{x:.1} {y:.1}h{width:.1}v{tall:.1}h-{width:.1}z");
        }
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    /// What is left, sampled evenly.
    fn line(&self, svg: &mut String, capacity: f64, left: &[f64]) {
        let step = (WIDTH - LEFT - RIGHT) / left.len() as f64;
        let mut path = String::new();
        for (at, left) in left.iter().enumerate() {
            let (x, y) =
                (LEFT + at as f64 * step, self.top + PANEL * (1.0 - left.max(0.0) / capacity));
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
        }
        let _ = write!(svg, "<path class=\"left\" d=\"{path}\"/>");
    }

    fn x(&self, at: u64) -> f64 {
        LEFT + at as f64 / self.length * (WIDTH - LEFT - RIGHT)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no less, in microseconds.
fn nice(least: u64) -> u64 {
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
