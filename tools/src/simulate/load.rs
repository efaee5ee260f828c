//! The arrivals of requests.

/// Rates, each for a time, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load(Vec<Segment>);

/// The process by which requests arrive at a given rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArrivalProcess {
    /// At even intervals.
    Even,
    /// At random, as from many callers: a Poisson process.
    Poisson { seed: u64 },
}

/// A constant rate for a time.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    per_second: f64,
    /// Microseconds.
    length: u64,
}

/// A bound on memory: a simulation holds every arrival.
const MAX_REQUESTS: f64 = 1e6;

const SYNTAX: &str = "load must be RATE:TIME,... such as 5/s:10s,0:500ms,100/m:2m";
const TOO_MUCH: &str = "load must have at most 1000000 requests and last at most 24h";
const NOTHING: &str = "load must have at least one request";
const DAY: u64 = 86_400_000_000;

// === impl Load ===

impl Load {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let segments = text.split(',').map(Segment::parse).collect::<Option<Vec<_>>>();
        let load = Self(segments.ok_or(SYNTAX)?);
        let requests: f64 =
            load.0.iter().map(|segment| segment.per_second * segment.length as f64 / 1e6).sum();
        let length = load.0.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.length));
        if requests > MAX_REQUESTS || length.is_none_or(|length| length > DAY) {
            return Err(TOO_MUCH);
        }
        if requests < 1.0 { Err(NOTHING) } else { Ok(load) }
    }

    /// The length of all segments together, in microseconds.
    pub(super) fn length(&self) -> u64 {
        self.0.iter().map(|segment| segment.length).sum()
    }

    /// The times at which requests arrive, in microseconds from the start.
    pub(super) fn arrivals(&self, process: ArrivalProcess) -> Vec<u64> {
        let mut rng = match process {
            ArrivalProcess::Even => None,
            ArrivalProcess::Poisson { seed } => Some(fastrand::Rng::with_seed(seed)),
        };
        let (mut arrivals, mut start) = (Vec::new(), 0);
        for segment in &self.0 {
            let gap = 1e6 / segment.per_second; // infinite in a pause
            let mut step = || match &mut rng {
                // Gaps in a Poisson process are exponentially distributed.
                Some(rng) => -(1.0 - rng.f64()).ln() * gap,
                None => gap,
            };
            let starts_at_once = process == ArrivalProcess::Even && gap.is_finite();
            let mut at = if starts_at_once { 0.0 } else { step() };
            while at < segment.length as f64 {
                arrivals.push(start + at as u64);
                at += step();
            }
            start += segment.length;
        }
        arrivals
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let (rate, time) = text.trim().split_once(':')?;
        let per_second = match rate {
            "0" => 0.0,
            rate => rl_bucket::Rate::parse(rate.as_bytes()).ok()?.per_second(),
        };
        let digits = time.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let unit = match &time[digits.len()..] {
            "ms" => 1000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return None,
        };
        let number = digits.parse::<u32>().ok().filter(|number| *number > 0)?;
        Some(Self { per_second, length: u64::from(number) * unit })
    }
}

#[cfg(test)]
mod tests {
    use super::{ArrivalProcess, Load, NOTHING, SYNTAX, TOO_MUCH};

    #[test]
    fn even_arrivals_follow_the_rates() {
        for (text, expected) in [
            ("2/s:1s", vec![0, 500_000]),
            ("1/s:1s,0:2s,4/s:500ms", vec![0, 3_000_000, 3_250_000]),
            ("60/m:1s, 1:1s", vec![0, 1_000_000]),
        ] {
            assert_eq!(
                Load::parse(text).unwrap().arrivals(ArrivalProcess::Even),
                expected,
                "{text}"
            );
        }
        assert_eq!(Load::parse("1:1s,0:2m,1:1h").unwrap().length(), 3_721_000_000);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_are_repeatable() {
        let load = Load::parse("1000/s:100s").unwrap();
        let arrivals = load.arrivals(ArrivalProcess::Poisson { seed: 7 });
        assert!((99_000..101_000).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted());
        assert_eq!(arrivals, load.arrivals(ArrivalProcess::Poisson { seed: 7 }));
        assert_ne!(arrivals, load.arrivals(ArrivalProcess::Poisson { seed: 8 }));
        let squares: f64 =
            arrivals.windows(2).map(|pair| ((pair[1] - pair[0]) as f64).powi(2)).sum();
        // The second moment of an exponential distribution is twice the square of its mean.
        let moment = squares / arrivals.len() as f64 / 1e6;
        assert!((1.9..2.1).contains(&moment), "{moment}");
    }

    #[test]
    fn invalid_loads_name_the_rule() {
        for (text, rule) in [
            ("", SYNTAX),
            ("5/s", SYNTAX),
            ("5/s:", SYNTAX),
            ("5/s:10", SYNTAX),
            ("5/s:0s", SYNTAX),
            ("5/s:-1s", SYNTAX),
            ("5/s:1d", SYNTAX),
            ("-5:1s", SYNTAX),
            ("1k:1s", SYNTAX),
            ("5/s:1s,", SYNTAX),
            ("0:10s", NOTHING),
            ("1000000001:1s", SYNTAX),
            ("1000000000:1s", TOO_MUCH),
            ("1:25h", TOO_MUCH),
            ("0:4000000000h,0:4000000000h", TOO_MUCH),
        ] {
            assert_eq!(Load::parse(text), Err(rule), "{text}");
        }
    }
}
