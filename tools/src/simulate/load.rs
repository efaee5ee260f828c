//! How requests arrive.

/// Rates, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load(Vec<Segment>);

#[derive(Clone, Debug, PartialEq)]
struct Segment {
    per_second: f64,
    /// Microseconds.
    length: u64,
}

/// A simulation holds every arrival in memory.
const MAX_REQUESTS: f64 = 1e6;

const SHAPE: &str = "load must be RATE:TIME,... such as 5/s:10s,0:500ms,100/m:2m";
const TOO_MUCH: &str = "load must be of at most 1000000 requests and a day";
const NOTHING: &str = "load must be of at least one request";
const DAY: u64 = 86_400_000_000;

// === impl Load ===

impl Load {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let segments = text.split(',').map(Segment::parse).collect::<Option<Vec<_>>>();
        let load = Self(segments.ok_or(SHAPE)?);
        let requests: f64 =
            load.0.iter().map(|segment| segment.per_second * segment.length as f64 / 1e6).sum();
        let length = load.0.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.length));
        if requests > MAX_REQUESTS || length.is_none_or(|length| length > DAY) {
            return Err(TOO_MUCH);
        }
        if requests < 1.0 { Err(NOTHING) } else { Ok(load) }
    }

    /// Of all rates together, in microseconds.
    pub(super) fn length(&self) -> u64 {
        self.0.iter().map(|segment| segment.length).sum()
    }

    /// When requests arrive, in microseconds from the start: evenly, or at random from a seed.
    pub(super) fn arrivals(&self, seed: Option<u64>) -> Vec<u64> {
        let mut chance = seed.map(fastrand::Rng::with_seed);
        let (mut arrivals, mut start) = (Vec::new(), 0);
        for segment in &self.0 {
            let gap = 1e6 / segment.per_second; // of silence: infinite
            let mut step = || match &mut chance {
                // Between two events of a Poisson process lies an exponentially distributed time.
                Some(chance) => -(1.0 - chance.f64()).ln() * gap,
                None => gap,
            };
            let mut at = if seed.is_some() || gap.is_infinite() { step() } else { 0.0 };
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
    use super::{Load, NOTHING, SHAPE, TOO_MUCH};

    #[test]
    fn arrivals() {
        for (text, expected) in [
            ("2/s:1s", vec![0, 500_000]),
            ("1/s:1s,0:2s,4/s:500ms", vec![0, 3_000_000, 3_250_000]),
            ("60/m:1s, 1:1s", vec![0, 1_000_000]),
        ] {
            assert_eq!(Load::parse(text).unwrap().arrivals(None), expected, "{text}");
        }
        assert_eq!(Load::parse("1:1s,0:2m,1:1h").unwrap().length(), 3_721_000_000);
    }

    #[test]
    fn chance_has_the_rate_and_is_repeatable() {
        let load = Load::parse("1000/s:100s").unwrap();
        let arrivals = load.arrivals(Some(7));
        assert!((99_000..101_000).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(arrivals.is_sorted());
        assert_eq!(arrivals, load.arrivals(Some(7)));
        assert_ne!(arrivals, load.arrivals(Some(8)));
        let squares: f64 =
            arrivals.windows(2).map(|pair| ((pair[1] - pair[0]) as f64).powi(2)).sum();
        // The second moment of an exponential distribution is twice the square of its mean.
        let moment = squares / arrivals.len() as f64 / 1e6;
        assert!((1.9..2.1).contains(&moment), "{moment}");
    }

    #[test]
    fn refusals() {
        for (text, rule) in [
            ("", SHAPE),
            ("5/s", SHAPE),
            ("5/s:", SHAPE),
            ("5/s:10", SHAPE),
            ("5/s:0s", SHAPE),
            ("5/s:-1s", SHAPE),
            ("5/s:1d", SHAPE),
            ("-5:1s", SHAPE),
            ("1e3:1s", SHAPE),
            ("5/s:1s,", SHAPE),
            ("0:10s", NOTHING),
            ("1000000001:1s", SHAPE),
            ("1000000000:1s", TOO_MUCH),
            ("1:25h", TOO_MUCH),
            ("0:4000000000h,0:4000000000h", TOO_MUCH),
        ] {
            assert_eq!(Load::parse(text), Err(rule), "{text}");
        }
    }
}
