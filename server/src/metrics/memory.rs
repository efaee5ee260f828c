//! The buckets in this process, counted when the metrics are read.

use std::sync::Arc;

use prometheus::{
    IntCounter, IntGauge, Opts,
    core::{Collector, Desc, Describer},
    proto::MetricFamily,
};
use rl_store::memory::MemoryStore;

/// The metrics of a store in memory.
pub(super) struct MemoryCollector {
    store: Arc<MemoryStore>,
    descriptions: Vec<Desc>,
}

const BUCKETS: (&str, &str) = (
    "rl_memory_buckets",
    "Buckets in the front's memory, full ones that are not yet forgotten included.",
);
const BYTES: (&str, &str) = ("rl_memory_bytes", "Memory set aside for buckets in the front.");
const EVICTIONS: (&str, &str) = (
    "rl_memory_evictions_total",
    "Buckets in the front's memory that made room for others before they were full again.",
);
const LIMIT: (&str, &str) =
    ("rl_memory_limit_bytes", "Most memory for buckets in the front (--memory-limit).");

// === impl MemoryCollector ===

impl MemoryCollector {
    pub(super) fn new(store: Arc<MemoryStore>) -> prometheus::Result<Self> {
        let describe = |(name, help)| Opts::new(name, help).describe();
        let descriptions = [BUCKETS, BYTES, EVICTIONS, LIMIT].into_iter().map(describe);
        Ok(Self { store, descriptions: descriptions.collect::<Result<_, _>>()? })
    }

    fn families(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let evictions = IntCounter::new(EVICTIONS.0, EVICTIONS.1)?;
        evictions.inc_by(self.store.evictions());
        let mut families = evictions.collect();
        for ((name, help), value) in
            [(BUCKETS, self.store.len()), (BYTES, self.store.bytes()), (LIMIT, self.store.limit())]
        {
            let gauge = IntGauge::new(name, help)?;
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            families.extend(gauge.collect());
        }
        Ok(families)
    }
}

impl Collector for MemoryCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Cannot fail: the names were found valid when they were described.
        self.families().unwrap_or_default()
    }
}
