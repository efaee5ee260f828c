//! The result, for people and for machines.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    histogram::{Row, bars, rows, span},
    tally::Tally,
};
use crate::query::printable;

/// All there is to say about a run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) target: String,
    /// What computed the buckets, if it was asked of Redis.
    pub(super) engine: Option<&'static str>,
    /// In words.
    pub(super) load: String,
    /// Checks a second.
    pub(super) asked: Option<f64>,
    /// Checks whose moment came, and those of them that nobody could send.
    pub(super) due: u64,
    pub(super) missed: u64,
    /// In which requests were sent.
    pub(super) elapsed: Duration,
    /// Ended before its time.
    pub(super) interrupted: bool,
    /// The part of the time, of 1, in which the busiest thread had something to do.
    pub(super) busy: f64,
    pub(super) tally: Tally,
}

#[derive(Serialize)]
struct Json<'a> {
    target: &'a str,
    engine: Option<&'static str>,
    seconds: f64,
    interrupted: bool,
    asked_per_second: Option<f64>,
    /// Decided.
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
    histogram: Vec<Row>,
}

/// Of the time: above it the generator may be what is measured.
const BUSY: f64 = 0.9;

// === impl Report ===

impl Report {
    /// Every check was decided, and there was one.
    pub(super) fn is_good(&self) -> bool {
        self.tally.failed() == 0 && self.tally.decided() > 0
    }

    /// Decided checks a second.
    fn per_second(&self) -> f64 {
        self.tally.decided() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Hardly a check was due that could not be sent. One in a hundred may be: those of the last moment.
    fn is_rate_kept(&self) -> bool {
        self.missed * 100 <= self.due
    }

    fn latencies(&self) -> Vec<(&'static str, Duration)> {
        let at = |part| self.tally.quantile(part);
        if self.tally.latency.is_empty() {
            return Vec::new();
        }
        vec![
            ("min", Duration::from_nanos(self.tally.latency.min())),
            ("p50", at(0.5)),
            ("p90", at(0.9)),
            ("p99", at(0.99)),
            ("p99.9", at(0.999)),
            ("max", Duration::from_nanos(self.tally.latency.max())),
        ]
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Tally { allowed, denied, degraded, errors, latency } = &self.tally;
        let checks = self.tally.decided() + self.tally.failed();
        let engine = self.engine.map(|engine| format!(" ({engine})")).unwrap_or_default();
        writeln!(out, "{}{engine}: {}\n", printable(&self.target), self.load)?;
        let early = if self.interrupted { ", ended early" } else { "" };
        writeln!(
            out,
            "checks   {checks:>12}  in {}, {:.0} answered a second{early}",
            span(self.elapsed),
            self.per_second()
        )?;
        let counts = [("allowed", *allowed), ("denied", *denied), ("degraded", *degraded)];
        for (name, count) in counts.into_iter().chain([("errors", self.tally.failed())]) {
            write!(out, "{name:<9}{count:>12}")?;
            match count {
                0 => writeln!(out)?,
                _ => writeln!(out, "  {:.2} %", count as f64 * 100.0 / checks as f64)?,
            }
        }
        for (trouble, count) in errors {
            writeln!(out, "         {count:>12}  {}", printable(&trouble.0))?;
        }
        if !latency.is_empty() {
            let from = if self.asked.is_some() { "it was due" } else { "it was sent" };
            writeln!(out, "\nlatency of {} requests, each from when {from}", latency.len())?;
            let words =
                self.latencies().into_iter().map(|(name, at)| format!("{name} {}", span(at)));
            writeln!(out, "{}\n", words.collect::<Vec<_>>().join(", "))?;
            bars(&rows(latency), out)?;
        }
        if let Some(asked) = self.asked.filter(|_| !self.is_rate_kept()) {
            writeln!(
                out,
                "\nThe rate was not kept: {:.0} answered a second of {asked} asked. {} checks were due and \
                 never sent; the latency knows nothing of them.",
                self.per_second(),
                self.missed
            )?;
        }
        if self.busy > BUSY {
            writeln!(
                out,
                "\nThis load generator was busy {:.0} % of the time: it may be the limit. Give it more \
                 --threads, or run more of it elsewhere.",
                self.busy * 100.0
            )?;
        }
        out.flush()
    }

    /// One object, on one line.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let micros = |at: Duration| (at.as_secs_f64() * 1e7).round() / 10.0;
        let Tally { allowed, denied, degraded, errors, latency } = &self.tally;
        let json = Json {
            target: &self.target,
            engine: self.engine,
            seconds: (self.elapsed.as_secs_f64() * 1e6).round() / 1e6,
            interrupted: self.interrupted,
            asked_per_second: self.asked,
            per_second: (self.per_second() * 10.0).round() / 10.0,
            rate_kept: self.is_rate_kept(),
            checks: self.tally.decided() + self.tally.failed(),
            allowed: *allowed,
            denied: *denied,
            degraded: *degraded,
            errors: self.tally.failed(),
            errors_by_kind: errors.iter().map(|(kind, count)| (&*kind.0, *count)).collect(),
            never_sent: self.missed,
            generator_busy: (self.busy * 1000.0).round() / 1000.0,
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
