//! The plan of a run, and the loop that all comparisons share.

use std::time::Duration;

use crate::raw::Raw;
use crate::rows::OtherModule;
use crate::sample::Sample;

/// The number and length of measurements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// Whether each variant is measured once before the first round, with the result discarded.
    pub(crate) has_warm_up: bool,
    /// The warm-up within each measurement, for our own load.
    pub(crate) warm_up_time: Duration,
    /// The length of each measurement, for our own load.
    pub(crate) measure_time: Duration,
    /// The length of each measurement with wrk, in seconds.
    pub(crate) wrk_seconds: u64,
    /// The loads at which latencies are measured, in percent of the maximum throughput.
    pub(crate) loads: &'static [u32],
}

/// A run: its plan, and its results so far.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    /// Whether other rate limiters are measured too.
    pub(crate) with_peers: bool,
    /// A module to measure beside RL's.
    pub(crate) other_module: Option<OtherModule>,
    pub(crate) raw: Raw,
}

/// A name, and the measurement to take under it.
pub(crate) type Variant<'a> = (&'a str, &'a mut dyn FnMut() -> Sample);

/// The names of the two variants of most rows.
pub(crate) const REFERENCE: &str = "reference";
pub(crate) const SUBJECT: &str = "subject";
/// The two variants under a client that uses next to no CPU time.
pub(crate) const LEAN_REFERENCE: &str = "reference, lean client";
pub(crate) const LEAN_SUBJECT: &str = "subject, lean client";

// === impl Plan ===

impl Plan {
    /// A plan whose results can be published.
    pub(crate) fn whole() -> Self {
        Self {
            rounds: 5,
            has_warm_up: true,
            warm_up_time: Duration::from_millis(500),
            measure_time: Duration::from_secs(2),
            wrk_seconds: 3,
            loads: &[10, 20, 30, 40, 50, 60, 70, 80, 90],
        }
    }

    /// A short and rough plan, to see that everything works.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            has_warm_up: false,
            warm_up_time: Duration::from_millis(100),
            measure_time: Duration::from_millis(400),
            wrk_seconds: 1,
            loads: &[10, 50, 90],
        }
    }
}

// === impl Bench ===

impl Bench {
    /// Measures the reference and the subject in turn, once per round.
    pub(crate) fn compare(
        &mut self,
        row: &str,
        reference: &mut dyn FnMut() -> Sample,
        subject: &mut dyn FnMut() -> Sample,
    ) {
        self.interleave(row, &mut [(REFERENCE, reference), (SUBJECT, subject)]);
    }

    /// Measures each variant once per round. Every other round runs in reverse order, so that
    /// neither the order nor a drift of the machine favours a variant.
    pub(crate) fn interleave(&mut self, row: &str, variants: &mut [Variant<'_>]) {
        if self.plan.has_warm_up {
            variants.iter_mut().for_each(|(_, measure)| {
                measure();
            });
        }
        for round in 0..self.plan.rounds {
            for i in 0..variants.len() {
                let i = if round % 2 == 0 { i } else { variants.len() - 1 - i };
                let (name, measure) = &mut variants[i];
                let sample = measure();
                self.raw.add(row, round, name, sample);
            }
        }
    }

    /// Records one result that does not vary between rounds.
    pub(crate) fn note(&mut self, row: &str, variant: &str, sample: Sample) {
        self.raw.add(row, 0, variant, sample);
    }
}
