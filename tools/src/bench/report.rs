//! The report of a run, as text or as JSON.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    duration,
    histogram::{HistogramRow, rows, write_bars},
    stats::LoadStats,
};
use crate::terminal::printable;

/// The report of a run.
#[derive(Debug)]
pub(super) struct LoadReport {
    pub(super) target: String,
    /// The engine, if the target is Redis.
    pub(super) engine: Option<&'static str>,
    /// A description of the load.
    pub(super) load: String,
    /// Checks a second that were to be sent; `None` if as many as possible.
    pub(super) requested_rate: Option<f64>,
    /// Checks that came due.
    pub(super) due: u64,
    /// Checks that came due but were not sent.
    pub(super) unsent: u64,
    /// The time in which requests were sent.
    pub(super) elapsed: Duration,
    /// Whether a signal ended the run early.
    pub(super) is_interrupted: bool,
    /// The share of the time (0 to 1) in which the busiest thread was not idle.
    pub(super) busy_share: f64,
    pub(super) stats: LoadStats,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    target: &'a str,
    engine: Option<&'static str>,
    seconds: f64,
    interrupted: bool,
    asked_per_second: Option<f64>,
    /// Checks that were decided.
    per_second: f64,
    rate_kept: bool,
    /// Allowed, denied and errors.
    checks: u64,
    allowed: u64,
    denied: u64,
    degraded: u64,
    errors: u64,
    errors_by_kind: BTreeMap<&'a str, u64>,
    never_sent: u64,
    generator_busy: f64,
    requests: u64,
    latency_us: BTreeMap<&'static str, f64>,
    histogram: Vec<HistogramRow>,
}

/// The busy share above which the generator may be the bottleneck.
const BUSY_SHARE: f64 = 0.9;

// === impl LoadReport ===

impl LoadReport {
    /// Whether there were checks, and all were decided.
    pub(super) fn is_success(&self) -> bool {
        self.stats.failed() == 0 && self.stats.decided() > 0
    }

    /// Decided checks a second.
    fn per_second(&self) -> f64 {
        self.stats.decided() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Whether almost all checks that came due were sent. One in a hundred may be missing: those
    /// that came due just before the end.
    fn is_rate_kept(&self) -> bool {
        self.unsent * 100 <= self.due
    }

    fn latencies(&self) -> Vec<(&'static str, Duration)> {
        let at = |share| self.stats.quantile(share);
        if self.stats.latency.is_empty() {
            return Vec::new();
        }
        vec![
            ("min", Duration::from_nanos(self.stats.latency.min())),
            ("p50", at(0.5)),
            ("p90", at(0.9)),
            ("p99", at(0.99)),
            ("p99.9", at(0.999)),
            ("max", Duration::from_nanos(self.stats.latency.max())),
        ]
    }

    /// Writes the report as text.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let LoadStats { allowed, denied, degraded, errors, latency } = &self.stats;
        let checks = self.stats.decided() + self.stats.failed();
        let engine = self.engine.map(|engine| format!(" ({engine})")).unwrap_or_default();
        writeln!(out, "{}{engine}: {}\n", printable(&self.target), self.load)?;
        let early = if self.is_interrupted { ", ended early" } else { "" };
        writeln!(
            out,
            "checks   {checks:>12}  in {}, {:.0} answered a second{early}",
            duration::format(self.elapsed),
            self.per_second()
        )?;
        let counts = [("allowed", *allowed), ("denied", *denied), ("degraded", *degraded)];
        for (name, count) in counts.into_iter().chain([("errors", self.stats.failed())]) {
            write!(out, "{name:<9}{count:>12}")?;
            match count {
                0 => writeln!(out)?,
                _ => writeln!(out, "  {:.2} %", count as f64 * 100.0 / checks as f64)?,
            }
        }
        for (error, count) in errors {
            writeln!(out, "         {count:>12}  {}", printable(&error.0))?;
        }
        if !latency.is_empty() {
            let from = if self.requested_rate.is_some() { "it was due" } else { "it was sent" };
            writeln!(out, "\nlatency of {} requests, each from when {from}", latency.len())?;
            let latencies = self.latencies().into_iter();
            let latencies = latencies.map(|(name, at)| format!("{name} {}", duration::format(at)));
            writeln!(out, "{}\n", latencies.collect::<Vec<_>>().join(", "))?;
            write_bars(&rows(latency), out)?;
        }
        if let Some(rate) = self.requested_rate.filter(|_| !self.is_rate_kept()) {
            writeln!(
                out,
                "\nThe rate was not kept: {:.0} of {rate} checks a second were answered. {} checks \
                 were due but never sent; the latencies do not include them.",
                self.per_second(),
                self.unsent
            )?;
        }
        if self.busy_share > BUSY_SHARE {
            writeln!(
                out,
                "\nThe load generator was busy {:.0} % of the time and may be the bottleneck: use \
                 more --threads, or a second machine.",
                self.busy_share * 100.0
            )?;
        }
        out.flush()
    }

    /// Writes one object, on one line.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let micros = |at: Duration| (at.as_secs_f64() * 1e7).round() / 10.0;
        let LoadStats { allowed, denied, degraded, errors, latency } = &self.stats;
        let json = ReportJson {
            target: &self.target,
            engine: self.engine,
            seconds: (self.elapsed.as_secs_f64() * 1e6).round() / 1e6,
            interrupted: self.is_interrupted,
            asked_per_second: self.requested_rate,
            per_second: (self.per_second() * 10.0).round() / 10.0,
            rate_kept: self.is_rate_kept(),
            checks: self.stats.decided() + self.stats.failed(),
            allowed: *allowed,
            denied: *denied,
            degraded: *degraded,
            errors: self.stats.failed(),
            errors_by_kind: errors.iter().map(|(kind, count)| (&*kind.0, *count)).collect(),
            never_sent: self.unsent,
            generator_busy: (self.busy_share * 1000.0).round() / 1000.0,
            requests: latency.len(),
            latency_us: self.latencies().into_iter().map(|(at, time)| (at, micros(time))).collect(),
            histogram: rows(latency),
        };
        serde_json::to_writer(&mut *out, &json)?;
        writeln!(out)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests;
