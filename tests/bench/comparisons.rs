//! The comparisons that the report draws from the measurements, with their targets.

use crate::bench::{LEAN_REFERENCE, LEAN_SUBJECT, REFERENCE, SUBJECT};
use crate::raw::Record;
use crate::sample::Spread;

/// One line of the table.
pub(crate) struct Comparison {
    /// The texts of the table: the subject, and the reference.
    pub(crate) title: &'static str,
    pub(crate) reference_title: &'static str,
    /// The row whose measurements are compared.
    pub(crate) row: &'static str,
    /// The names of the two variants in that row.
    pub(crate) subject: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) kind: Kind,
    pub(crate) target: Target,
}

/// The calculation that reduces the measurements of a round to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Subject divided by reference.
    Ratio,
    /// The server's CPU time per operation: subject divided by reference.
    Cpu,
    /// Subject minus reference.
    Difference,
    /// The subject alone.
    Value,
}

/// The bound that the number should keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// The number is for information only.
    None,
}

use Kind::{Cpu, Difference, Ratio, Value};
use Target::{AtLeast, AtMost};

const fn ratio(
    title: &'static str,
    reference_title: &'static str,
    row: &'static str,
    target: Target,
) -> Comparison {
    Comparison {
        title,
        reference_title,
        row,
        subject: SUBJECT,
        reference: REFERENCE,
        kind: Ratio,
        target,
    }
}

const fn cpu(
    title: &'static str,
    reference_title: &'static str,
    row: &'static str,
    target: Target,
) -> Comparison {
    Comparison { kind: Cpu, ..ratio(title, reference_title, row, target) }
}

const fn lean(reference_title: &'static str, row: &'static str) -> Comparison {
    Comparison {
        subject: LEAN_SUBJECT,
        reference: LEAN_REFERENCE,
        ..ratio("same, with a lean client", reference_title, row, Target::None)
    }
}

/// The lines of the table, in order.
pub(crate) const COMPARISONS: &[Comparison] = &[
    ratio("RL.CHECK, 100k keys", "INCR", "check-100k", AtLeast(0.95)),
    cpu("same, server CPU", "INCR", "check-100k", Target::None),
    lean("INCR", "check-100k"),
    ratio("RL.CHECK, 1M keys", "INCR", "check-1m", AtLeast(0.80)),
    cpu("same, server CPU", "INCR", "check-1m", Target::None),
    lean("INCR", "check-1m"),
    Comparison {
        subject: "RL.CHECK",
        reference: "SET EX",
        ..ratio("RL.CHECK, instructions a call", "SET with EX", "instructions", AtMost(0.80))
    },
    ratio("RL.CHECK, short-lived buckets", "INCR", "check-short-lived", Target::None),
    ratio("RL.CHECK, one hot key", "RL.CHECK, 100k keys", "check-hot", AtLeast(1.0)),
    ratio("RL.PEEK", "GET", "peek", AtLeast(0.95)),
    cpu("same, server CPU", "GET", "peek", Target::None),
    lean("GET", "peek"),
    ratio("RL.MCHECK of 16, per check", "INCR", "mcheck", AtLeast(1.6)),
    cpu("same, server CPU", "INCR", "mcheck", Target::None),
    lean("INCR", "mcheck"),
    ratio("Lua check", "plain Lua bucket", "lua-check", AtLeast(1.1)),
    ratio("Lua mcheck of 16, per check", "plain Lua bucket", "lua-mcheck", AtLeast(2.5)),
    ratio("memory per bucket, 1M keys", "SET of 25 bytes with PX", "bytes-a-key", AtMost(1.02)),
    ratio("bucket step, in process", "clock read", "step", AtMost(1.0)),
    ratio("POST /check over Redis (module)", "bare handler", "http-redis", AtLeast(0.85)),
    cpu("same, front CPU", "bare handler", "http-redis", AtMost(1.25)),
    ratio("POST /check over Redis (Lua)", "bare handler", "http-lua", Target::None),
    cpu("same, front CPU", "bare handler", "http-lua", Target::None),
    ratio("POST /check, memory", "bare handler", "http-memory", AtLeast(0.95)),
    cpu("same, front CPU", "bare handler", "http-memory", Target::None),
    ratio(
        "POST /check/batch of 1,000, memory, 2 workers, per check",
        "INCR",
        "http-batch-memory",
        AtLeast(2.0),
    ),
    ratio(
        "POST /check/batch of 1,000, Redis, 2 workers, per check",
        "INCR",
        "http-batch-redis",
        Target::None,
    ),
    ratio("POST /check, all keys exhausted", "bare handler", "http-deny", AtLeast(0.95)),
    Comparison {
        subject: "questions",
        kind: Value,
        ..ratio("same, Redis requests a second per key", "", "http-deny", AtMost(1.0))
    },
    ratio("POST /check over Redis, one hot key", "100k keys", "http-hot-redis", AtLeast(1.0)),
    ratio("POST /check, memory, one hot key", "100k keys", "http-hot-memory", AtLeast(1.0)),
    ratio("GET /check", "POST /check", "http-get", AtLeast(1.0)),
    ratio("POST /check, Redis at a Unix socket", "Redis over TCP", "unix-redis", Target::None),
    cpu("same, CPU of front and Redis", "Redis over TCP", "unix-redis", Target::None),
    ratio("POST /check, memory, at a Unix socket", "over TCP", "unix-callers", Target::None),
    cpu("same, front CPU", "over TCP", "unix-callers", Target::None),
    Comparison {
        subject: "Redis, module 50% p99",
        reference: "bare 50% p99",
        kind: Difference,
        ..ratio(
            "p99 at half load over Redis (module), added µs",
            "bare handler",
            "latency",
            AtMost(1000.0),
        )
    },
    Comparison {
        subject: "memory 50% p99",
        reference: "bare 50% p99",
        kind: Difference,
        ..ratio("p99 at half load, memory, added µs", "bare handler", "latency", AtMost(1000.0))
    },
    Comparison {
        subject: "2 nodes",
        reference: "1 node",
        ..cpu("RL.CHECK, cluster of 2, server CPU", "cluster of 1", "cluster", Target::None)
    },
    Comparison {
        subject: "3 nodes",
        reference: "1 node",
        ..cpu("RL.CHECK, cluster of 3, server CPU", "cluster of 1", "cluster", Target::None)
    },
];

// === impl Comparison ===

impl Comparison {
    /// The result over all rounds that have both variants.
    pub(crate) fn evaluate(&self, records: &[Record]) -> Option<Spread> {
        let samples = |variant: &'static str| {
            records.iter().filter(move |it| it.row == self.row && it.variant == variant)
        };
        Spread::of(samples(self.subject).filter_map(|subject| {
            let reference = samples(self.reference).find(|it| it.round == subject.round);
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
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(min) => value >= min,
            Self::AtMost(max) => value <= max,
            Self::None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Kind, Target, ratio};
    use crate::raw::Record;
    use crate::rows::ROWS;

    fn record(round: u32, variant: &str, value: f64, cpu: f64) -> Record {
        let (row, unit) = ("row".to_owned(), String::new());
        Record {
            row,
            round,
            variant: variant.to_owned(),
            value,
            unit,
            cpu_us: Some(cpu),
            seconds: 1.0,
        }
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
            let comparison = Comparison { kind, ..ratio("", "", "row", Target::None) };
            let spread = comparison.evaluate(&records).unwrap();
            assert_eq!((spread.median, spread.min, spread.max), expected, "{kind:?}");
        }
        assert_eq!(ratio("", "", "other", Target::None).evaluate(&records), None);
    }

    #[test]
    fn every_comparison_has_a_row() {
        for comparison in super::COMPARISONS {
            assert!(ROWS.iter().any(|(row, _)| *row == comparison.row), "{}", comparison.row);
        }
    }
}
