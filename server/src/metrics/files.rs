//! Loads of the configuration files.

use std::fmt;

use prometheus::{IntCounterVec, IntGaugeVec};

use super::families::Families;

/// The metrics of the files that are reloaded, by file.
pub struct FileMetrics {
    loads: IntCounterVec,
    is_last_good: IntGaugeVec,
    generation: IntGaugeVec,
    info: IntGaugeVec,
}

// === impl FileMetrics ===

impl FileMetrics {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            loads: families.counters(
                "rl_config_reloads_total",
                &["file", "result"],
                "Loads of a configuration file, the first included, by result.",
            ),
            is_last_good: families.gauges(
                "rl_config_last_reload_successful",
                &["file"],
                "1 if the last load of a configuration file succeeded, 0 if it was refused.",
            ),
            generation: families.gauges(
                "rl_config_generation",
                &["file"],
                "Number of the content in force: 1 at the start, 1 more after each reload.",
            ),
            info: families.gauges(
                "rl_config_info",
                &["file", "hash"],
                "1 for the content in force. Fronts with equal hashes have equal files.",
            ),
        }
    }

    /// Counts a load whose content replaces the one with the hash `previous`.
    pub fn count_load(&self, file: &str, generation: u64, hash: &str, previous: Option<&str>) {
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        self.loads.with_label_values(&[file, "loaded"]).inc();
        self.loads.with_label_values(&[file, "refused"]); // shown from the start, at 0
        self.is_last_good.with_label_values(&[file]).set(1);
        self.generation.with_label_values(&[file]).set(generation);
        if let Some(previous) = previous {
            let _ = self.info.remove_label_values(&[file, previous]);
        }
        self.info.with_label_values(&[file, hash]).set(1);
    }

    /// Counts a load that was refused.
    pub fn count_refused(&self, file: &str) {
        self.loads.with_label_values(&[file, "refused"]).inc();
        self.is_last_good.with_label_values(&[file]).set(0);
    }
}

impl fmt::Debug for FileMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileMetrics").finish_non_exhaustive()
    }
}
