//! Metric families: a name, labels and a help text each, registered as they are made.

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

/// The registered families.
pub(super) struct Families {
    registry: Registry,
}

const NO_LABELS: &[&str] = &[];

// === impl Families ===

impl Families {
    pub(super) fn new() -> Self {
        Self { registry: Registry::new() }
    }

    pub(super) fn counters(&self, name: &str, labels: &[&str], help: &str) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauges(&self, name: &str, labels: &[&str], help: &str) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        labels: &[&str],
        help: &str,
        buckets: &[f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels))
    }

    /// A gauge without labels.
    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.gauges(name, NO_LABELS, help).with_label_values(NO_LABELS)
    }

    /// A histogram without labels.
    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.histograms(name, NO_LABELS, help, buckets).with_label_values(NO_LABELS)
    }

    /// Registers a collector of further families.
    pub(super) fn collector<C: Collector + 'static>(&self, collector: prometheus::Result<C>) {
        valid(self.registry.register(Box::new(valid(collector))));
    }

    /// Registers the metrics of this process: memory, CPU time, open files.
    pub(super) fn process(&self) {
        valid(self.registry.register(Box::new(ProcessCollector::for_self())));
    }

    /// All metrics, in the Prometheus text format 0.0.4.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        // Cannot fail: memory takes every write, and duplicates were refused at registration.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    fn register<C>(&self, family: prometheus::Result<C>) -> C
    where
        C: Collector + Clone + 'static,
    {
        let family = valid(family);
        valid(self.registry.register(Box::new(family.clone())));
        family
    }
}

/// Names and labels are constants, so that any test finds one that is invalid or used twice.
fn valid<T>(result: prometheus::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("metrics: {error}"))
}
