//! The metrics of a front, in the Prometheus text format. Labels hold configured names and fixed
//! words, never a key, so that no caller can add a series.

mod families;
mod files;
mod memory;

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use rl_store::{EngineKind, StoreError, memory::MemoryStore};

pub use self::files::FileMetrics;
use self::{families::Families, memory::MemoryCollector};
use crate::{policy::OnError, status::Status};

/// The metrics of one front.
pub struct Metrics {
    families: Families,
    decisions: IntCounterVec,
    degraded: IntCounterVec,
    cache_hits: IntCounterVec,
    /// HTTP requests by endpoint and status.
    pub requests: IntCounterVec,
    /// Seconds from the head of a request to its response, by endpoint.
    pub request_seconds: HistogramVec,
    /// Seconds from a request to Redis to its reply.
    pub store_seconds: Histogram,
    store_errors: [IntCounter; StoreError::ALL.len()],
    /// Checks in a request to `/check/batch`.
    pub batch_size: Histogram,
    engine: IntGaugeVec,
    links: IntGaugeVec,
    refusing: IntGauge,
    draining: IntGauge,
    /// Loads of the configuration files.
    pub files: FileMetrics,
    /// The policies that have counters.
    policies: Mutex<HashSet<String>>,
}

/// The counters of one policy, looked up once.
#[derive(Clone)]
pub struct PolicyCounters {
    /// Checks and takes that were allowed.
    pub allowed: IntCounter,
    /// Denials for now.
    pub denied: IntCounter,
    /// Denials for good: the cost is above the capacity.
    pub never: IntCounter,
    /// Denials in shadow mode, which allows the check.
    pub would_deny: IntCounter,
    /// Denials from the denial cache, without a call to Redis.
    pub cached: IntCounter,
    degraded: [IntCounter; OnError::ALL.len()],
}

/// Upper bounds in seconds, from a check in memory to a missed deadline.
const SECONDS: &[f64] =
    &[5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

const OUTCOMES: [&str; 4] = ["allowed", "denied", "never", "would_deny"];

// === impl Metrics ===

impl Metrics {
    /// Every metric, at 0.
    pub fn new() -> Self {
        let families = Families::new();
        let store_errors = families.counters(
            "rl_redis_errors_total",
            &["reason"],
            "Redis requests that failed, by reason (down, shed, late, failed).",
        );
        let build = families.gauges("rl_build_info", &["version"], "1 for the running version.");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        families.process();
        Self {
            decisions: families.counters(
                "rl_decisions_total",
                &["policy", "outcome"],
                "Checks and takes, by policy and outcome.",
            ),
            degraded: families.counters(
                "rl_degraded_total",
                &["policy", "on_error"],
                "Checks, peeks and takes decided without Redis, by policy and its on_error rule.",
            ),
            cache_hits: families.counters(
                "rl_denial_cache_hits_total",
                &["policy"],
                "Denials answered from the denial cache, without a call to Redis.",
            ),
            requests: families.counters(
                "rl_http_requests_total",
                &["endpoint", "code"],
                "HTTP requests answered, by path and status.",
            ),
            request_seconds: families.histograms(
                "rl_http_request_duration_seconds",
                &["endpoint"],
                "Time from the head of a request to its response.",
                SECONDS,
            ),
            store_seconds: families.histogram(
                "rl_redis_duration_seconds",
                "Time from a request to Redis to its reply, or to the deadline.",
                SECONDS,
            ),
            store_errors: StoreError::ALL
                .map(|error| store_errors.with_label_values(&[error.name()])),
            batch_size: families.histogram(
                "rl_batch_size",
                "Checks in a request to /check/batch.",
                SIZES,
            ),
            engine: families.gauges("rl_engine", &["engine"], "1 for the engine in use."),
            links: families.gauges(
                "rl_redis_links",
                &["state"],
                "Links to Redis, one for each worker, by state: closed (up) or open (down).",
            ),
            refusing: families.gauge(
                "rl_redis_refusing",
                "1 while Redis can be reached and refuses what it is asked, such as every write.",
            ),
            draining: families.gauge("rl_draining", "1 once the front is shutting down."),
            files: FileMetrics::new(&families),
            policies: Mutex::default(),
            families,
        }
    }

    /// Adds the metrics of a store in memory.
    pub fn add_memory(&self, store: Arc<MemoryStore>) {
        self.families.collector(MemoryCollector::new(store));
    }

    /// The counters of the policy `name`, which are shown from now on.
    pub fn policy(&self, name: &str) -> PolicyCounters {
        self.policies().insert(name.to_owned());
        let [allowed, denied, never, would_deny] =
            OUTCOMES.map(|outcome| self.decisions.with_label_values(&[name, outcome]));
        PolicyCounters {
            allowed,
            denied,
            never,
            would_deny,
            cached: self.cache_hits.with_label_values(&[name]),
            degraded: OnError::ALL
                .map(|on_error| self.degraded.with_label_values(&[name, on_error.name()])),
        }
    }

    /// Removes the counters of all policies but these.
    pub fn keep_policies<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let kept: HashSet<_> = names.map(str::to_owned).collect();
        let mut policies = self.policies();
        for removed in policies.difference(&kept) {
            for outcome in OUTCOMES {
                let _ = self.decisions.remove_label_values(&[removed, outcome]);
            }
            for on_error in OnError::ALL {
                let _ = self.degraded.remove_label_values(&[removed, on_error.name()]);
            }
            let _ = self.cache_hits.remove_label_values(&[removed]);
        }
        *policies = kept;
    }

    /// Counts a call that Redis did not answer.
    pub fn count_store_error(&self, error: StoreError) {
        self.store_errors[error as usize].inc();
    }

    /// All metrics, in the Prometheus text format 0.0.4.
    pub fn text(&self, status: &Status) -> String {
        let store = status.store();
        for engine in EngineKind::ALL {
            let is_used = engine == store.engine();
            self.engine.with_label_values(&[engine.name()]).set(is_used.into());
        }
        for (state, links) in [("closed", store.workers_up()), ("open", store.workers_down())] {
            self.links.with_label_values(&[state]).set(i64::try_from(links).unwrap_or(i64::MAX));
        }
        self.refusing.set((store.is_up() && store.refusal().is_some()).into());
        self.draining.set(status.is_draining().into());
        self.families.text()
    }

    fn policies(&self) -> MutexGuard<'_, HashSet<String>> {
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

// === impl PolicyCounters ===

impl PolicyCounters {
    /// Counts an answer without Redis.
    pub fn count_degraded(&self, on_error: OnError) {
        self.degraded[on_error as usize].inc();
    }
}

impl fmt::Debug for PolicyCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyCounters").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rl_bucket::{Cost, Limit, Micros};
    use rl_store::{StoreError, StoreHealth, memory::MemoryStore};

    use super::Metrics;
    use crate::{policy::OnError, status::Status};

    #[test]
    fn a_policy_is_shown_while_it_exists() {
        let (metrics, status) = (Metrics::new(), Status::new(Arc::new(StoreHealth::memory())));
        let counters = metrics.policy("api");
        counters.denied.inc();
        counters.count_degraded(OnError::Open);
        let text = metrics.text(&status);
        for line in [
            r#"rl_decisions_total{outcome="denied",policy="api"} 1"#,
            r#"rl_decisions_total{outcome="never",policy="api"} 0"#,
            r#"rl_degraded_total{on_error="open",policy="api"} 1"#,
            r#"rl_degraded_total{on_error="local",policy="api"} 0"#,
            r#"rl_engine{engine="memory"} 1"#,
            r#"rl_redis_errors_total{reason="late"} 0"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        metrics.policy("other");
        metrics.keep_policies(["other"].into_iter());
        let text = metrics.text(&status);
        assert!(!text.contains("api") && text.contains(r#"policy="other""#), "{text}");
    }

    #[test]
    fn buckets_in_memory_are_counted() {
        let (metrics, memory) = (Metrics::new(), Arc::new(MemoryStore::with_limit(1_000_000)));
        metrics.add_memory(memory.clone());
        let limit = Limit::parse("5", "5/d").unwrap();
        for i in 0..20_000_u32 {
            memory.check(&i.to_le_bytes(), &limit, Cost::ONE, Micros::new(1_700_000_000_000_000));
        }
        let text = metrics.text(&Status::new(Arc::new(StoreHealth::memory())));
        let (buckets, bytes, evictions) = (memory.len(), memory.bytes(), memory.evictions());
        for line in [
            format!("rl_memory_buckets {buckets}"),
            format!("rl_memory_bytes {bytes}"),
            format!("rl_memory_evictions_total {evictions}"),
            "rl_memory_limit_bytes 1000000".to_owned(),
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        assert!(evictions > 0);
    }

    #[test]
    fn a_file_has_one_hash_at_a_time() {
        let metrics = Metrics::new();
        metrics.files.count_load("policies", 1, "aa", None);
        metrics.files.count_load("tokens", 1, "cc", None);
        metrics.files.count_load("policies", 2, "bb", Some("aa"));
        metrics.files.count_refused("policies");
        metrics.count_store_error(StoreError::Late);
        let text = metrics.text(&Status::new(Arc::new(StoreHealth::memory())));
        for line in [
            r#"rl_config_info{file="policies",hash="bb"} 1"#,
            r#"rl_config_info{file="tokens",hash="cc"} 1"#,
            r#"rl_config_generation{file="policies"} 2"#,
            r#"rl_config_last_reload_successful{file="policies"} 0"#,
            r#"rl_config_last_reload_successful{file="tokens"} 1"#,
            r#"rl_config_reloads_total{file="policies",result="loaded"} 2"#,
            r#"rl_config_reloads_total{file="policies",result="refused"} 1"#,
            r#"rl_redis_errors_total{reason="late"} 1"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        assert!(!text.contains("aa"));
    }
}
