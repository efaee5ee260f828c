//! The sums over all episodes.

use std::fmt;
use std::time::Duration;

use crate::audit::Stats;
use crate::episode::Episode;
use crate::fault::FaultKind;

/// The totals of one topology.
pub(crate) struct Totals {
    name: &'static str,
    episodes: Vec<Stats>,
    /// The fault of the last episode.
    last_fault: Option<FaultKind>,
    /// Whether the last episode broke a promise.
    pub(crate) has_failed: bool,
}

// === impl Totals ===

impl Totals {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, episodes: Vec::new(), last_fault: None, has_failed: false }
    }

    pub(crate) fn start_episode(&mut self, fault: FaultKind) {
        self.last_fault = Some(fault);
    }

    pub(crate) fn add(&mut self, episode: Episode) {
        self.episodes.push(episode.stats);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |field: fn(&Stats) -> u64| self.episodes.iter().map(field).sum::<u64>();
        let max = |field: fn(&Stats) -> Duration| {
            self.episodes.iter().map(field).max().unwrap_or_default().as_millis()
        };
        let mut recoveries: Vec<_> = self.episodes.iter().map(|it| it.recovery).collect();
        recoveries.sort_unstable();
        let median = recoveries.get(recoveries.len() / 2).map_or(0, Duration::as_millis);
        let takeovers = self.episodes.iter().filter(|it| it.had_takeover).count();
        let count = self.episodes.len();
        writeln!(f, "{}: {count} episodes, {takeovers} with a takeover", self.name)?;
        let (checks, degraded) = (sum(|it| it.checks as u64), sum(|it| it.degraded as u64));
        let unanswered = sum(|it| it.unanswered as u64);
        writeln!(
            f,
            "  checks: {checks}, decided without Redis {degraded}, lost with a killed front \
             {unanswered}"
        )?;
        let (admitted, unknown) = (sum(|it| it.admitted), sum(|it| it.unknown));
        let (taken, lost) = (sum(|it| it.taken), sum(|it| it.lost));
        writeln!(
            f,
            "  accounted for: Redis admitted {admitted} and took {taken}; {unknown} of unknown \
             outcome; {lost} lost in takeovers"
        )?;
        let (slowest, stall) = (max(|it| it.slowest), max(|it| it.longest_stall));
        writeln!(f, "  slowest answer: {slowest} ms; longest stall of the machine: {stall} ms")?;
        write!(
            f,
            "  recovery after Redis accepted writes: median {median} ms, at most {} ms",
            max(|it| it.recovery)
        )?;
        if let Some(fault) = self.last_fault.filter(|_| self.has_failed) {
            write!(f, "\n  FAILED in episode {}: {}", count + 1, fault.name())?;
        }
        Ok(())
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { duration, checks, degraded, unanswered, .. } = self.stats;
        let Stats { admitted, unknown, taken, lost, .. } = self.stats;
        let takeover = if self.stats.had_takeover { ", taken over" } else { "" };
        write!(
            f,
            "{:18}  {:4.1} s  {checks:5} checks, {degraded:4} without Redis",
            self.fault.name(),
            duration.as_secs_f64()
        )?;
        if unanswered > 0 {
            write!(f, ", {unanswered} unanswered")?;
        }
        write!(
            f,
            "; admitted {admitted}, unknown {unknown}, taken {taken}, lost {lost}{takeover}"
        )?;
        write!(f, "; normal after {:.2} s", self.stats.recovery.as_secs_f64())
    }
}
