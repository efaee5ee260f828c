//! How long and how often to measure, and the loop that all comparisons share.

use std::time::Duration;

use crate::raw::Raw;
use crate::rows::OtherModule;
use crate::sample::Sample;

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// Whether each side is measured once before, for nothing.
    pub(crate) warm_up: bool,
    /// Of one measurement, for loads of our own.
    pub(crate) warm: Duration,
    pub(crate) measured: Duration,
    /// The same, for wrk.
    pub(crate) seconds: u64,
    /// At which latencies are taken, in percent of the most.
    pub(crate) loads: &'static [u32],
}

/// A run: its measure of time, and its results.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    /// Whether other rate limiters run too, and which module beside ours.
    pub(crate) peers: bool,
    pub(crate) other: Option<OtherModule>,
    pub(crate) raw: Raw,
}

/// What is measured under a name.
pub(crate) type Side<'a> = (&'a str, &'a mut dyn FnMut() -> Sample);

/// The usual names of the two sides.
pub(crate) const REFERENCE: &str = "reference";
pub(crate) const SUBJECT: &str = "subject";
/// The same, asked by a client that costs next to nothing.
pub(crate) const LEAN_REFERENCE: &str = "reference, lean client";
pub(crate) const LEAN_SUBJECT: &str = "subject, lean client";

// === impl Plan ===

impl Plan {
    /// To be believed.
    pub(crate) fn whole() -> Self {
        Self {
            rounds: 5,
            warm_up: true,
            warm: Duration::from_millis(500),
            measured: Duration::from_secs(2),
            seconds: 3,
            loads: &[10, 20, 30, 40, 50, 60, 70, 80, 90],
        }
    }

    /// Short and rough, to see that everything works.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            warm_up: false,
            warm: Duration::from_millis(100),
            measured: Duration::from_millis(400),
            seconds: 1,
            loads: &[10, 50, 90],
        }
    }
}

// === impl Bench ===

impl Bench {
    /// The reference and the subject in turn, as often as there are rounds.
    pub(crate) fn compare(
        &mut self,
        row: &str,
        reference: &mut dyn FnMut() -> Sample,
        subject: &mut dyn FnMut() -> Sample,
    ) {
        self.interleave(row, &mut [(REFERENCE, reference), (SUBJECT, subject)]);
    }

    /// Each side once a round, every other round in reverse order, so that what comes first or what drifts
    /// favours nobody.
    pub(crate) fn interleave(&mut self, row: &str, sides: &mut [Side<'_>]) {
        if self.plan.warm_up {
            sides.iter_mut().for_each(|(_, measure)| {
                measure();
            });
        }
        for round in 0..self.plan.rounds {
            for i in 0..sides.len() {
                let i = if round % 2 == 0 { i } else { sides.len() - 1 - i };
                let (name, measure) = &mut sides[i];
                let sample = measure();
                self.raw.add(row, round, name, sample);
            }
        }
    }

    /// One figure that every run would give again.
    pub(crate) fn note(&mut self, row: &str, side: &str, sample: Sample) {
        self.raw.add(row, 0, side, sample);
    }
}
