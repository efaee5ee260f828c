//! A measurement, and statistics over several of them.

use std::time::Duration;

/// The result of one variant in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The server's CPU time per operation, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) seconds: f64,
}

/// The median of several values, and their range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

// === impl Sample ===

impl Sample {
    /// A rate: `count` operations in this time.
    pub(crate) fn rate(count: f64, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self { value: count / seconds, unit: "1/s", cpu_us: None, seconds }
    }

    /// A value that is not a rate.
    pub(crate) fn of(value: f64, unit: &'static str) -> Self {
        Self { value, unit, cpu_us: None, seconds: 0.0 }
    }

    pub(crate) fn with_cpu(self, cpu: Duration, count: f64) -> Self {
        Self { cpu_us: Some(cpu.as_secs_f64() * 1e6 / count), ..self }
    }
}

// === impl Spread ===

impl Spread {
    /// The spread of these values; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_median_min_and_max() {
        let spread = |values: &[f64]| {
            Spread::of(values.iter().copied()).map(|it| (it.median, it.min, it.max))
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some((2.0, 2.0, 2.0)));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some((3.0, 1.0, 9.0)));
    }
}
