//! How long and how often to measure, and the loop that all comparisons share.

use std::time::Duration;

use crate::raw::Raw;
use crate::rows::OtherModule;
use crate::sample::Sample;

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// Of one measurement, for loads of our own.
    pub(crate) warm: Duration,
    pub(crate) measured: Duration,
    /// The same, for wrk.
    pub(crate) seconds: u64,
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

// === impl Plan ===

impl Plan {
    /// Short and rough, to see that everything works; or to be believed.
    pub(crate) fn new(quick: bool, rounds: Option<u32>) -> Self {
        let (usual, warm, measured, seconds) =
            if quick { (3, 100, 400, 1) } else { (5, 500, 2000, 3) };
        Self {
            rounds: rounds.unwrap_or(usual),
            warm: Duration::from_millis(warm),
            measured: Duration::from_millis(measured),
            seconds,
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
