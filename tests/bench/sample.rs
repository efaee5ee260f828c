//! One measurement, and what a few of them say together.

use std::time::Duration;

/// What one side did in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Server CPU for one of what was counted, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) seconds: f64,
}

/// The middle of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

// === impl Sample ===

impl Sample {
    /// So many in this time.
    pub(crate) fn rate(count: f64, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self { value: count / seconds, unit: "1/s", cpu_us: None, seconds }
    }

    /// A figure that is no rate.
    pub(crate) fn of(value: f64, unit: &'static str) -> Self {
        Self { value, unit, cpu_us: None, seconds: 0.0 }
    }

    pub(crate) fn with_cpu(self, cpu: Duration, count: f64) -> Self {
        Self { cpu_us: Some(cpu.as_secs_f64() * 1e6 / count), ..self }
    }
}

// === impl Spread ===

impl Spread {
    /// Nothing of nothing.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let (low, high) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn spreads() {
        let spread = |figures: &[f64]| {
            Spread::of(figures.iter().copied()).map(|it| (it.median, it.min, it.max))
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some((2.0, 2.0, 2.0)));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some((3.0, 1.0, 9.0)));
    }
}
