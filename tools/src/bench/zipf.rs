//! Ranks by Zipf's law.
//!
//! Rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from
//! monotone discrete distributions", ACM TOMACS 6 (1996) 169-184. It takes constant time and memory however
//! many ranks there are, and needs hardly more than one draw for a rank.

use fastrand::Rng;

/// Ranks of 1 to `count`, the k-th as often as k^-exponent.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    count: f64,
    exponent: f64,
    /// The integral of the hat at 1.5, less the whole first bar; and at the end.
    first: f64,
    last: f64,
    /// No rank is rejected that lies this close below its draw.
    near: f64,
}

// === impl Zipf ===

impl Zipf {
    /// Of at least one rank, with an exponent above 0.
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count: count as f64, exponent, first: 0.0, last: 0.0, near: 0.0 };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(zipf.count + 0.5);
        zipf.near = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    /// A rank.
    pub(super) fn draw(&self, chance: &mut Rng) -> u64 {
        loop {
            let area = self.last + chance.f64() * (self.first - self.last);
            let at = self.inverse(area);
            let rank = at.round().clamp(1.0, self.count);
            if rank - at <= self.near || area >= self.integral(rank + 0.5) - self.hat(rank) {
                return rank as u64;
            }
        }
    }

    /// x^-exponent.
    fn hat(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of the hat from 1 to x: (x^(1-exponent) - 1) / (1-exponent), or ln x.
    fn integral(&self, x: f64) -> f64 {
        let ln = x.ln();
        expm1_by((1.0 - self.exponent) * ln) * ln
    }

    /// The x of which it is the integral.
    fn inverse(&self, area: f64) -> f64 {
        // Rounding may lead below the least value there is.
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        (ln1p_by(t) * area).exp()
    }
}

/// (e^x - 1) / x, also about 0.
fn expm1_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x, also about 0.
fn ln1p_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::Zipf;

    /// Pearson's test of draws against exact frequencies.
    #[test]
    fn frequencies_are_exact() {
        const DRAWS: usize = 200_000;
        for exponent in [0.01, 0.5, 0.999_999_999, 1.0, 1.2, 2.0, 5.0] {
            for count in [1, 2, 3, 10, 100] {
                let (zipf, mut chance) = (Zipf::new(count, exponent), Rng::with_seed(7));
                let mut seen = vec![0_u32; count as usize];
                for _ in 0..DRAWS {
                    seen[zipf.draw(&mut chance) as usize - 1] += 1;
                }
                let weights: Vec<f64> = (1..=count).map(|k| (k as f64).powf(-exponent)).collect();
                let whole: f64 = weights.iter().sum();
                let (mut distance, mut bins) = (0.0, 0.0);
                // Ranks that are hardly ever drawn are counted as one.
                let (mut expected, mut drawn) = (0.0, 0.0);
                for (weight, seen) in weights.iter().zip(&seen).rev() {
                    expected += weight / whole * DRAWS as f64;
                    drawn += f64::from(*seen);
                    if expected >= 10.0 {
                        distance += (drawn - expected).powi(2) / expected;
                        (bins, expected, drawn) = (bins + 1.0, 0.0, 0.0);
                    }
                }
                // Mean and deviation of chi-squared with `bins - 1` degrees of freedom.
                let degrees: f64 = bins - 1.0;
                let most = degrees + 4.5 * (2.0 * degrees).sqrt();
                assert!(distance <= most + 1e-9, "{exponent} {count}: {distance} of {most}");
            }
        }
    }

    #[test]
    fn many_ranks() {
        let mut chance = Rng::with_seed(7);
        for exponent in [0.1, 1.0, 3.0, 10.0] {
            let zipf = Zipf::new(1_000_000_000, exponent);
            assert!((0..10_000).all(|_| (1..=1_000_000_000).contains(&zipf.draw(&mut chance))));
        }
    }
}
