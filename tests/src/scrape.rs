//! A parser for the output of `/metrics`.

use std::collections::{BTreeMap, BTreeSet};

/// One response of `/metrics`.
#[derive(Debug)]
pub struct Scrape {
    /// The value of each series, by its name and labels as written: `rl_draining` or
    /// `rl_redis_links{state="open"}`.
    pub series: BTreeMap<String, f64>,
    /// The metadata of each metric, by its name.
    pub metadata: BTreeMap<String, MetricMetadata>,
}

/// A metric's `HELP` and `TYPE`, and the names of its labels in alphabetical order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MetricMetadata {
    /// The `HELP` text.
    pub help: String,
    /// The `TYPE`: `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// The names of the labels, without the `le` of histograms.
    pub labels: BTreeSet<String>,
}

// === impl Scrape ===

impl Scrape {
    /// Parses the part of the Prometheus text format that the front uses.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let mut scrape = Self { series: BTreeMap::new(), metadata: BTreeMap::new() };
        // Samples follow the HELP and TYPE lines of their metric.
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
                let metadata = scrape.metadata.get_mut(&metric).expect(line);
                metadata.labels.extend(labels(series).map(|(name, _)| name.to_owned()));
                metadata.labels.remove("le");
                let previous = scrape.series.insert(series.to_owned(), value.parse().expect(line));
                assert_eq!(previous, None, "a duplicate: {line}");
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

/// The labels of a series, or of a selector with equality matchers only. Values must not contain a
/// comma or a brace.
pub fn labels(series: &str) -> impl Iterator<Item = (&str, &str)> {
    let inside = series.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let pairs = inside.map_or("", |(inside, _)| inside).split(',');
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once("=\"")?;
        Some((name, value.strip_suffix('"')?))
    })
}
