//! What `/metrics` says, taken apart.

use std::collections::{BTreeMap, BTreeSet};

/// One answer of `/metrics`.
#[derive(Debug)]
pub struct Scrape {
    /// The value of each series by its name and labels, as they are written: `rl_draining` or
    /// `rl_redis_links{state="open"}`.
    pub series: BTreeMap<String, f64>,
    /// What each metric says of itself.
    pub metadata: BTreeMap<String, MetricMetadata>,
}

/// A metric's `HELP` and `TYPE`, and the names of its labels, in order of the alphabet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MetricMetadata {
    /// What it means.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Without the `le` of histograms.
    pub labels: BTreeSet<String>,
}

// === impl Scrape ===

impl Scrape {
    /// Reads the Prometheus text format, as far as the front uses it.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut scrape = Self { series: BTreeMap::new(), metadata: BTreeMap::new() };
        // Samples follow the two lines about their metric.
        let mut metric = String::new();
        for line in text.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|s| s.split_once(' '))
            {
                name.clone_into(&mut metric);
                scrape.metadata.entry(metric.clone()).or_default().help = help.to_owned();
            } else if let Some((name, kind)) =
                line.strip_prefix("# TYPE ").and_then(|s| s.split_once(' '))
            {
                scrape.metadata.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else {
                let (series, value) = line.rsplit_once(' ').expect(line);
                let about = scrape.metadata.get_mut(&metric).expect(line);
                about.labels.extend(labels(series).map(|(name, _)| name.to_owned()));
                about.labels.remove("le");
                let twice = scrape.series.insert(series.to_owned(), value.parse().expect(line));
                assert_eq!(twice, None, "{line}");
            }
        }
        scrape
    }

    /// The value of a series.
    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("there is no {series}"))
    }
}

/// The labels of a series, or of a selector that asks for equality; no value holds a comma or a brace.
pub fn labels(series: &str) -> impl Iterator<Item = (&str, &str)> {
    let inside = series.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inside.map_or("", |(inside, _)| inside).split(',');
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once("=\"")?;
        Some((name, value.strip_suffix('"')?))
    })
}
