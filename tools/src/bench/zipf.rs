//! Random ranks by Zipf's law.
//!
//! Rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from
//! monotone discrete distributions", ACM TOMACS 6 (1996) 169-184. Time and memory do not depend on
//! the number of ranks, and a rank takes hardly more than one draw.

use fastrand::Rng;

/// Ranks from 1 to `count`; the frequency of the k-th is proportional to k^-exponent.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    count: f64,
    exponent: f64,
    /// The lower end of the area that is drawn from: the integral of the hat up to 1.5, less the
    /// bar of rank 1.
    lower: f64,
    /// The upper end: the integral up to `count` + 0.5.
    upper: f64,
    /// A rank at most this far above its draw is never rejected.
    margin: f64,
}

// === impl Zipf ===

impl Zipf {
    /// A distribution of at least one rank, with an exponent above 0.
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self { count: count as f64, exponent, lower: 0.0, upper: 0.0, margin: 0.0 };
        zipf.lower = zipf.integral(1.5) - 1.0;
        zipf.upper = zipf.integral(zipf.count + 0.5);
        zipf.margin = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    /// Draws a rank.
    pub(super) fn draw(&self, rng: &mut Rng) -> u64 {
        loop {
            let area = self.upper + rng.f64() * (self.lower - self.upper);
            let at = self.inverse(area);
            let rank = at.round().clamp(1.0, self.count);
            if rank - at <= self.margin || area >= self.integral(rank + 0.5) - self.hat(rank) {
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

    /// The x up to which the integral is `area`.
    fn inverse(&self, area: f64) -> f64 {
        // Rounding errors may go below the minimum.
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        (ln1p_by(t) * area).exp()
    }
}

/// (e^x - 1) / x, accurate near 0.
fn expm1_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x, accurate near 0.
fn ln1p_by(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::Zipf;

    /// Pearson's chi-squared test of draws against exact frequencies.
    #[test]
    fn frequencies_follow_the_law() {
        const DRAWS: usize = 200_000;
        for exponent in [0.01, 0.5, 0.999_999_999, 1.0, 1.2, 2.0, 5.0] {
            for count in [1, 2, 3, 10, 100] {
                let (zipf, mut rng) = (Zipf::new(count, exponent), Rng::with_seed(7));
                let mut counts = vec![0_u32; count as usize];
                for _ in 0..DRAWS {
                    counts[zipf.draw(&mut rng) as usize - 1] += 1;
                }
                let weights: Vec<f64> = (1..=count).map(|k| (k as f64).powf(-exponent)).collect();
                let total: f64 = weights.iter().sum();
                let (mut distance, mut bins) = (0.0, 0.0);
                // Rare ranks share a bin.
                let (mut expected, mut drawn) = (0.0, 0.0);
                for (weight, count) in weights.iter().zip(&counts).rev() {
                    expected += weight / total * DRAWS as f64;
                    drawn += f64::from(*count);
                    if expected >= 10.0 {
                        distance += (drawn - expected).powi(2) / expected;
                        (bins, expected, drawn) = (bins + 1.0, 0.0, 0.0);
                    }
                }
                // Mean and standard deviation of chi-squared with `bins - 1` degrees of freedom.
                let degrees: f64 = bins - 1.0;
                let most = degrees + 4.5 * (2.0 * degrees).sqrt();
                assert!(distance <= most + 1e-9, "{exponent} {count}: {distance} of {most}");
            }
        }
    }

    #[test]
    fn a_billion_ranks_stay_in_range() {
        let mut rng = Rng::with_seed(7);
        for exponent in [0.1, 1.0, 3.0, 10.0] {
            let zipf = Zipf::new(1_000_000_000, exponent);
            assert!((0..10_000).all(|_| (1..=1_000_000_000).contains(&zipf.draw(&mut rng))));
        }
    }
}
