//! What is counted, for Prometheus. Labels hold names from the configuration and fixed words, never a
//! key, so that no caller can grow them.

use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

use rl_store::{EngineKind, StoreError};

use crate::{policy::OnError, status::Status};

/// Every series of one server.
pub struct Metrics {
    registry: Registry,
    decisions: IntCounterVec,
    degraded: IntCounterVec,
    remembered: IntCounterVec,
    /// HTTP requests by endpoint and status.
    pub requests: IntCounterVec,
    /// Seconds from the head of a request to its response, by endpoint.
    pub request_seconds: HistogramVec,
    /// Seconds from question to answer of Redis.
    pub store_seconds: Histogram,
    store_errors: [IntCounter; StoreError::ALL.len()],
    /// Checks in a request to `/check/batch`.
    pub batch_size: Histogram,
    engine: IntGaugeVec,
    links: IntGaugeVec,
    draining: IntGauge,
    files: Files,
    names: Mutex<HashSet<String>>,
}

/// What happens to the files that are read again when they change, by file.
struct Files {
    reloads: IntCounterVec,
    good: IntGaugeVec,
    generation: IntGaugeVec,
    hash: IntGaugeVec,
}

/// The counters of one policy, looked up once.
#[derive(Clone)]
pub struct PolicyMeters {
    /// Checks by outcome.
    pub allowed: IntCounter,
    /// Denied for now.
    pub denied: IntCounter,
    /// Denied for good: the cost is above the capacity.
    pub never: IntCounter,
    /// Allowed only because the policy is in shadow mode.
    pub would_deny: IntCounter,
    /// Denials that this front remembered, so that Redis was not asked.
    pub remembered: IntCounter,
    degraded: [IntCounter; OnError::ALL.len()],
}

/// Upper bounds in seconds, from a check in memory to a lost deadline.
const SECONDS: [f64; 14] =
    [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

const OUTCOMES: [&str; 4] = ["allowed", "denied", "never", "would_deny"];

// === impl Metrics ===

impl Metrics {
    /// All at nothing.
    pub fn new() -> Self {
        let registry = Registry::new();
        let store_errors = counters(
            "rl_redis_errors_total",
            "Questions that Redis did not answer, by reason: no connection, too much waiting, too late, or an error.",
            &["reason"],
        );
        let metrics = Self {
            decisions: counters(
                "rl_decisions_total",
                "Checks and takes decided.",
                &["policy", "outcome"],
            ),
            degraded: counters(
                "rl_degraded_total",
                "Answers given without Redis, by what the policy says to do then.",
                &["policy", "on_error"],
            ),
            remembered: counters(
                "rl_denial_cache_hits_total",
                "Denials answered from this front's memory.",
                &["policy"],
            ),
            requests: counters(
                "rl_http_requests_total",
                "HTTP requests answered, by path and status.",
                &["endpoint", "code"],
            ),
            request_seconds: made(HistogramVec::new(
                HistogramOpts::new(
                    "rl_http_request_duration_seconds",
                    "From the head of a request to its response.",
                )
                .buckets(SECONDS.to_vec()),
                &["endpoint"],
            )),
            store_seconds: made(Histogram::with_opts(
                HistogramOpts::new(
                    "rl_redis_duration_seconds",
                    "From a question sent to Redis to its answer, or to the deadline.",
                )
                .buckets(SECONDS.to_vec()),
            )),
            store_errors: StoreError::ALL
                .map(|reason| store_errors.with_label_values(&[reason.name()])),
            batch_size: made(Histogram::with_opts(
                HistogramOpts::new("rl_batch_size", "Checks in a request to /check/batch.")
                    .buckets(SIZES.to_vec()),
            )),
            engine: gauges("rl_engine", "1 for the engine that serves.", &["engine"]),
            links: gauges(
                "rl_redis_links",
                "Links to Redis by the state of their breaker: closed ones ask, open ones do not.",
                &["state"],
            ),
            draining: made(IntGauge::new("rl_draining", "1 once the server shuts down.")),
            files: Files {
                reloads: counters(
                    "rl_config_reloads_total",
                    "Contents of a configuration file met, by what became of them.",
                    &["file", "result"],
                ),
                good: gauges(
                    "rl_config_last_reload_successful",
                    "0 while a configuration file has a content that was refused.",
                    &["file"],
                ),
                generation: gauges(
                    "rl_config_generation",
                    "How many contents of a configuration file have been in force.",
                    &["file"],
                ),
                hash: gauges(
                    "rl_config_info",
                    "1 for the content in force: equal hashes, equal contents.",
                    &["file", "hash"],
                ),
            },
            names: Mutex::default(),
            registry,
        };
        let build = gauges("rl_build_info", "1 for the version that runs.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let collectors: [Box<dyn Collector>; 17] = [
            Box::new(metrics.decisions.clone()),
            Box::new(metrics.degraded.clone()),
            Box::new(metrics.remembered.clone()),
            Box::new(metrics.requests.clone()),
            Box::new(metrics.request_seconds.clone()),
            Box::new(metrics.store_seconds.clone()),
            Box::new(store_errors),
            Box::new(metrics.batch_size.clone()),
            Box::new(metrics.engine.clone()),
            Box::new(metrics.links.clone()),
            Box::new(metrics.draining.clone()),
            Box::new(metrics.files.reloads.clone()),
            Box::new(metrics.files.good.clone()),
            Box::new(metrics.files.generation.clone()),
            Box::new(metrics.files.hash.clone()),
            Box::new(build),
            Box::new(ProcessCollector::for_self()),
        ];
        for collector in collectors {
            made(metrics.registry.register(collector));
        }
        metrics
    }

    /// The counters of the policy `name`, which from now on show.
    pub fn policy(&self, name: &str) -> PolicyMeters {
        self.names().insert(name.to_owned());
        let [allowed, denied, never, would_deny] =
            OUTCOMES.map(|outcome| self.decisions.with_label_values(&[name, outcome]));
        PolicyMeters {
            allowed,
            denied,
            never,
            would_deny,
            remembered: self.remembered.with_label_values(&[name]),
            degraded: OnError::ALL
                .map(|on_error| self.degraded.with_label_values(&[name, on_error.name()])),
        }
    }

    /// Forgets the policies that are not among `names`.
    pub fn keep_policies<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let kept: HashSet<_> = names.map(str::to_owned).collect();
        let mut known = self.names();
        for gone in known.difference(&kept) {
            for outcome in OUTCOMES {
                let _ = self.decisions.remove_label_values(&[gone, outcome]);
            }
            for on_error in OnError::ALL {
                let _ = self.degraded.remove_label_values(&[gone, on_error.name()]);
            }
            let _ = self.remembered.remove_label_values(&[gone]);
        }
        *known = kept;
    }

    /// Redis did not answer.
    pub fn unavailable(&self, reason: StoreError) {
        self.store_errors[reason as usize].inc();
    }

    /// A content of a configuration file came into force in place of another: the `generation`th
    /// since the start.
    pub fn loaded(&self, file: &str, generation: u64, hash: &str, before: Option<&str>) {
        self.files.reloads.with_label_values(&[file, "loaded"]).inc();
        self.files.reloads.with_label_values(&[file, "refused"]); // shown, if only as 0
        self.files.good.with_label_values(&[file]).set(1);
        self.files
            .generation
            .with_label_values(&[file])
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        if let Some(before) = before {
            let _ = self.files.hash.remove_label_values(&[file, before]);
        }
        self.files.hash.with_label_values(&[file, hash]).set(1);
    }

    /// A content of a configuration file was refused.
    pub fn refused(&self, file: &str) {
        self.files.reloads.with_label_values(&[file, "refused"]).inc();
        self.files.good.with_label_values(&[file]).set(0);
    }

    /// Everything, as Prometheus text (exposition format 0.0.4).
    pub fn text(&self, status: &Status) -> String {
        for engine in EngineKind::ALL {
            let serves = i64::from(engine == status.store().engine());
            self.engine.with_label_values(&[engine.name()]).set(serves);
        }
        for (state, links) in
            [("closed", status.store().links_up()), ("open", status.store().links_down())]
        {
            self.links.with_label_values(&[state]).set(i64::try_from(links).unwrap_or(i64::MAX));
        }
        self.draining.set(status.is_draining().into());
        let mut text = Vec::new();
        // Writing to memory does not fail, and neither does a registry that has refused duplicates.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
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

// === impl PolicyMeters ===

impl PolicyMeters {
    /// An answer without Redis.
    pub fn degraded(&self, on_error: OnError) {
        self.degraded[on_error as usize].inc();
    }
}

impl fmt::Debug for PolicyMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyMeters").finish_non_exhaustive()
    }
}

// === construction ===

fn counters(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    made(IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    made(IntGaugeVec::new(Opts::new(name, help), labels))
}

/// Pseudonyms and labels are written in this file, so a bad or doubled one shows in the first test.
#[track_caller]
fn made<T>(result: prometheus::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("a metric: {error}"))
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use std::sync::Arc;

    use rl_store::{StoreError, StoreHealth};

    use crate::{policy::OnError, status::Status};

    #[test]
    fn a_policy_shows_while_it_exists() {
        let (metrics, status) = (Metrics::new(), Status::new(Arc::new(StoreHealth::memory())));
        let meters = metrics.policy("api");
        meters.denied.inc();
        meters.degraded(OnError::Open);
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
    fn one_hash_at_a_time() {
        let metrics = Metrics::new();
        metrics.loaded("policies", 1, "aa", None);
        metrics.loaded("tokens", 1, "cc", None);
        metrics.loaded("policies", 2, "bb", Some("aa"));
        metrics.refused("policies");
        metrics.unavailable(StoreError::Late);
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
