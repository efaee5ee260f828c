//! An SVG writer for the charts. It is written by hand, since they need only a few rectangles and
//! lines. The colours are legible on white and on black.

use std::fmt::Write;

pub(crate) const WIDTH: f64 = 820.0;

/// The colours of the series in a chart.
pub(crate) const COLOURS: [&str; 3] = ["#8b949e", "#2f81f7", "#db6d28"];

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#7d8590}\
.title{font-size:15px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\
.grid{stroke:#7d8590;stroke-opacity:.25}.line{fill:none;stroke-width:2}\
.dash{stroke-dasharray:5 4}";

/// An SVG document under construction.
pub(crate) struct Svg(String);

// === impl Svg ===

impl Svg {
    pub(crate) fn new(height: f64, label: &str) -> Self {
        let label = escape(label);
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-label=\"{label}\"><style>{STYLE}</style>\n"
        ))
    }

    /// Adds a text. (Writing to a string cannot fail, here and below.)
    pub(crate) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let text = escape(text);
        let _ = writeln!(self.0, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
    }

    pub(crate) fn bar(&mut self, [x, y, width, height]: [f64; 4], colour: &str) {
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             rx=\"2\" fill=\"{colour}\"/>"
        );
    }

    pub(crate) fn grid(&mut self, [x1, y1, x2, y2]: [f64; 4]) {
        let _ = writeln!(
            self.0,
            "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    pub(crate) fn line(&mut self, class: &str, points: &[(f64, f64)], colour: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let _ = writeln!(
            self.0,
            "<polyline class=\"line {class}\" points=\"{points}\" stroke=\"{colour}\"/>"
        );
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Svg, escape};

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape(r#"a < b & "c" > d"#), "a &lt; b &amp; &quot;c&quot; &gt; d");
        let mut svg = Svg::new(1.0, "\"><script>");
        svg.text("end", 0.0, 0.0, "</text><script>");
        assert!(!svg.end().contains("<script>"));
    }
}
