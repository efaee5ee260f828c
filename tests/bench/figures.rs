//! What is made of the measurements: each figure, its reference and its target.

use crate::bench::{LEAN_REFERENCE, LEAN_SUBJECT, REFERENCE, SUBJECT};
use crate::raw::Record;
use crate::sample::Spread;

/// One line of the table.
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) against: &'static str,
    /// Whose measurements.
    pub(crate) row: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) kind: Kind,
    pub(crate) target: Target,
}

/// How the measurements of a round become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Subject over reference.
    Ratio,
    /// The same of the server's CPU time for one.
    Cpu,
    /// Subject less reference.
    Difference,
    /// The subject alone.
    Value,
}

/// What it should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// To be known, no more.
    None,
}

use Kind::{Cpu, Difference, Ratio, Value};
use Target::{AtLeast, AtMost};

const fn ratio(
    what: &'static str,
    against: &'static str,
    row: &'static str,
    target: Target,
) -> Figure {
    Figure { what, against, row, subject: SUBJECT, reference: REFERENCE, kind: Ratio, target }
}

const fn cpu(
    what: &'static str,
    against: &'static str,
    row: &'static str,
    target: Target,
) -> Figure {
    Figure { kind: Cpu, ..ratio(what, against, row, target) }
}

const fn lean(against: &'static str, row: &'static str) -> Figure {
    Figure {
        subject: LEAN_SUBJECT,
        reference: LEAN_REFERENCE,
        ..ratio("the same, by a client that costs nothing", against, row, Target::None)
    }
}

/// The table.
pub(crate) const FIGURES: &[Figure] = &[
    ratio("RL.CHECK, 100k keys", "INCR", "check-100k", AtLeast(0.95)),
    cpu("server CPU of it", "INCR", "check-100k", Target::None),
    lean("INCR", "check-100k"),
    ratio("RL.CHECK, 1M keys", "INCR", "check-1m", AtLeast(0.80)),
    cpu("server CPU of it", "INCR", "check-1m", Target::None),
    lean("INCR", "check-1m"),
    Figure {
        subject: "RL.CHECK",
        reference: "SET EX",
        ..ratio("RL.CHECK, instructions a call", "SET with EX", "instructions", AtMost(0.80))
    },
    ratio("RL.CHECK of buckets that expire at once", "INCR", "check-short-lived", Target::None),
    ratio("RL.CHECK, one hot key", "RL.CHECK, 100k keys", "check-hot", AtLeast(1.0)),
    ratio("RL.PEEK", "GET", "peek", AtLeast(0.95)),
    cpu("server CPU of it", "GET", "peek", Target::None),
    lean("GET", "peek"),
    ratio("RL.MCHECK of 16, a check", "INCR", "mcheck", AtLeast(1.6)),
    cpu("server CPU of it", "INCR", "mcheck", Target::None),
    lean("INCR", "mcheck"),
    ratio("Lua check", "a plain Lua bucket", "lua-check", AtLeast(1.1)),
    ratio("Lua mcheck of 16, a check", "a plain Lua bucket", "lua-mcheck", AtLeast(2.5)),
    ratio("memory of a bucket, at 1M keys", "25 bytes SET with PX", "bytes-a-key", AtMost(1.02)),
    ratio("one step of a bucket, in process", "a clock read", "step", AtMost(1.0)),
    ratio("POST /check over Redis (module)", "bare handler", "http-redis", AtLeast(0.85)),
    cpu("front CPU of it", "bare handler", "http-redis", AtMost(1.25)),
    ratio("POST /check over Redis (Lua)", "bare handler", "http-lua", Target::None),
    cpu("front CPU of it", "bare handler", "http-lua", Target::None),
    ratio("POST /check, memory", "bare handler", "http-memory", AtLeast(0.95)),
    cpu("front CPU of it", "bare handler", "http-memory", Target::None),
    ratio(
        "POST /check/batch of 1,000, memory, 2 workers, a check",
        "INCR",
        "http-batch-memory",
        AtLeast(2.0),
    ),
    ratio(
        "POST /check/batch of 1,000, Redis, 2 workers, a check",
        "INCR",
        "http-batch-redis",
        Target::None,
    ),
    ratio("POST /check, all keys exhausted", "bare handler", "http-deny", AtLeast(0.95)),
    Figure {
        subject: "questions",
        kind: Value,
        ..ratio("Redis is asked in it, times a second for a key", "", "http-deny", AtMost(1.0))
    },
    ratio("POST /check over Redis, one hot key", "100k keys", "http-hot-redis", AtLeast(1.0)),
    ratio("POST /check, memory, one hot key", "100k keys", "http-hot-memory", AtLeast(1.0)),
    ratio("GET /check", "POST /check", "http-get", AtLeast(1.0)),
    Figure {
        subject: "Redis, module 50% p99",
        reference: "bare 50% p99",
        kind: Difference,
        ..ratio(
            "p99 at half load over Redis (module), µs more",
            "bare handler",
            "latency",
            AtMost(1000.0),
        )
    },
    Figure {
        subject: "memory 50% p99",
        reference: "bare 50% p99",
        kind: Difference,
        ..ratio("p99 at half load, memory, µs more", "bare handler", "latency", AtMost(1000.0))
    },
    Figure {
        subject: "2 nodes",
        reference: "1 node",
        ..cpu("RL.CHECK in a cluster of 2, server CPU", "of 1", "cluster", Target::None)
    },
    Figure {
        subject: "3 nodes",
        reference: "1 node",
        ..cpu("RL.CHECK in a cluster of 3, server CPU", "of 1", "cluster", Target::None)
    },
];

// === impl Figure ===

impl Figure {
    /// What it comes to, over all rounds that have both sides.
    pub(crate) fn of(&self, records: &[Record]) -> Option<Spread> {
        let side = |side: &'static str| {
            records.iter().filter(move |it| it.row == self.row && it.side == side)
        };
        Spread::of(side(self.subject).filter_map(|subject| {
            let reference = side(self.reference).find(|it| it.round == subject.round);
            match self.kind {
                Kind::Ratio => Some(subject.value / reference?.value),
                Kind::Cpu => Some(subject.cpu_us? / reference?.cpu_us?),
                Kind::Difference => Some(subject.value - reference?.value),
                Kind::Value => Some(subject.value),
            }
        }))
    }
}

// === impl Target ===

impl Target {
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
            Self::None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Kind, Target, ratio};
    use crate::raw::Record;
    use crate::rows::ROWS;

    fn record(round: u32, side: &str, value: f64, cpu: f64) -> Record {
        let (row, unit) = ("row".to_owned(), String::new());
        Record { row, round, side: side.to_owned(), value, unit, cpu_us: Some(cpu), seconds: 1.0 }
    }

    #[test]
    fn rounds_are_paired() {
        let records = [
            record(0, "reference", 100.0, 2.0),
            record(0, "subject", 75.0, 1.0),
            record(1, "subject", 25.0, 6.0),
            record(1, "reference", 50.0, 2.0),
            record(2, "subject", 1.0, 1.0),
        ];
        for (kind, expected) in [
            (Kind::Ratio, (0.625, 0.5, 0.75)),
            (Kind::Cpu, (1.75, 0.5, 3.0)),
            (Kind::Difference, (-25.0, -25.0, -25.0)),
            (Kind::Value, (25.0, 1.0, 75.0)),
        ] {
            let figure = Figure { kind, ..ratio("", "", "row", Target::None) };
            let spread = figure.of(&records).unwrap();
            assert_eq!((spread.median, spread.min, spread.max), expected, "{kind:?}");
        }
        assert_eq!(ratio("", "", "other", Target::None).of(&records), None);
    }

    #[test]
    fn every_figure_has_a_row() {
        for figure in super::FIGURES {
            assert!(ROWS.iter().any(|(row, _)| *row == figure.row), "{}", figure.row);
        }
    }
}
