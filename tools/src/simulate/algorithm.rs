//! Four rate limiting algorithms, each deciding on one arrival after the other.

use std::collections::VecDeque;

use rl_bucket::{Bucket, Cost, Level, Limit, Micros};

/// A rate limiting algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The algorithm of RL.
    TokenBucket,
    /// Counts in consecutive windows.
    FixedWindow,
    /// Counts in the window that ends now: the exact form, with a log of admitted requests.
    SlidingWindow,
    /// A queue that drains at the rate, so admitted requests wait (Turner, "New directions in
    /// communications", 1986; the queue, not the meter, which is a token bucket).
    LeakyBucket,
}

/// The wait until an arrival proceeds, in microseconds; `None` if it is refused.
pub(super) type Delay = Option<u64>;

/// A limiter that uses one of the algorithms.
pub(super) struct SimulatedLimiter {
    limit: Limit,
    cost: Cost,
    admissions: Admissions,
}

/// The admissions that an algorithm remembers. Amounts are in tokens, times in microseconds.
enum Admissions {
    Bucket(Option<Bucket>),
    Window {
        number: u64,
        admitted: f64,
    },
    /// The time of each admission.
    Log(VecDeque<u64>),
    Queue {
        updated_at: u64,
        queued: f64,
    },
}

/// The start on the bucket's clock, which counts from 1970. Any time of whole seconds will do.
const START: u64 = 1_700_000_000_000_000;

/// The longest window or delay, in microseconds: its end is a `u64` too.
const LONGEST: u64 = 1 << 62;

/// The time in which an empty bucket fills, in microseconds, at least 1.
pub(super) fn window(limit: &Limit) -> u64 {
    ((limit.capacity().tokens() * 1e6 / limit.rate().per_second()) as u64).clamp(1, LONGEST)
}

// === impl Algorithm ===

impl Algorithm {
    pub(super) const ALL: [Self; 4] =
        [Self::TokenBucket, Self::FixedWindow, Self::SlidingWindow, Self::LeakyBucket];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TokenBucket => "token bucket",
            Self::FixedWindow => "fixed window",
            Self::SlidingWindow => "sliding window",
            Self::LeakyBucket => "leaky bucket",
        }
    }

    /// A limiter that has admitted nothing.
    pub(super) fn start(self, limit: &Limit, cost: Cost) -> SimulatedLimiter {
        let admissions = match self {
            Self::TokenBucket => Admissions::Bucket(None),
            Self::FixedWindow => Admissions::Window { number: 0, admitted: 0.0 },
            Self::SlidingWindow => Admissions::Log(VecDeque::new()),
            Self::LeakyBucket => Admissions::Queue { updated_at: 0, queued: 0.0 },
        };
        SimulatedLimiter { limit: *limit, cost, admissions }
    }
}

// === impl SimulatedLimiter ===

impl SimulatedLimiter {
    /// Decides on a request that arrives `at` microseconds from the start, not before the previous
    /// one.
    pub(super) fn admit(&mut self, at: u64) -> Delay {
        let (capacity, cost) = (self.limit.capacity().tokens(), self.cost.tokens());
        let (rate, window) = (self.rate(), window(&self.limit));
        match &mut self.admissions {
            Admissions::Bucket(bucket) => {
                let level = Level::at(*bucket, &self.limit, Micros::new(START + at));
                let step = level.check(self.cost);
                *bucket = step.write.or(*bucket);
                step.decision.is_allowed().then_some(0)
            }
            Admissions::Window { number, admitted } => {
                if *number != at / window {
                    (*number, *admitted) = (at / window, 0.0);
                }
                let is_allowed = *admitted + cost <= capacity;
                *admitted += if is_allowed { cost } else { 0.0 };
                is_allowed.then_some(0)
            }
            Admissions::Log(log) => {
                while log.front().is_some_and(|admitted| admitted + window <= at) {
                    log.pop_front();
                }
                let is_allowed = (log.len() as f64 + 1.0) * cost <= capacity;
                if is_allowed {
                    log.push_back(at);
                }
                is_allowed.then_some(0)
            }
            Admissions::Queue { updated_at, queued } => {
                let ahead = (*queued - (at - *updated_at) as f64 * rate).max(0.0);
                let is_allowed = ahead + cost <= capacity;
                (*updated_at, *queued) = (at, if is_allowed { ahead + cost } else { ahead });
                is_allowed.then_some(((ahead / rate) as u64).min(LONGEST))
            }
        }
    }

    /// The tokens that could be admitted at that time.
    pub(super) fn remaining(&self, at: u64) -> f64 {
        let capacity = self.limit.capacity().tokens();
        let window = window(&self.limit);
        match &self.admissions {
            Admissions::Bucket(bucket) => {
                let level = Level::at(*bucket, &self.limit, Micros::new(START + at));
                level.peek(Cost::ZERO).remaining as f64
            }
            Admissions::Window { number, .. } if *number != at / window => capacity,
            Admissions::Window { admitted, .. } => capacity - admitted,
            Admissions::Log(log) => {
                let recent = log.iter().filter(|admitted| **admitted + window > at).count();
                capacity - recent as f64 * self.cost.tokens()
            }
            Admissions::Queue { updated_at, queued } => {
                capacity - (queued - (at - updated_at) as f64 * self.rate()).max(0.0)
            }
        }
    }

    /// Tokens per microsecond.
    fn rate(&self) -> f64 {
        self.limit.rate().per_second() / 1e6
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::Algorithm;
    use crate::simulate::timeline::most_within;

    /// The delays in milliseconds, `-` for a refusal, of arrivals at these milliseconds under
    /// capacity 4 and rate 4/s.
    fn delays(algorithm: Algorithm, arrivals: &[u64]) -> String {
        let mut limiter = algorithm.start(&Limit::parse("4", "4/s").unwrap(), Cost::ONE);
        let delays = arrivals.iter().map(|ms| match limiter.admit(ms * 1000) {
            Some(delay) => (delay / 1000).to_string(),
            None => "-".to_owned(),
        });
        delays.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_burst_across_the_edge_of_a_window() {
        let arrivals = [900, 900, 900, 900, 900, 1000, 1000, 1000, 1000, 1000, 1150, 1900, 1901];
        for (algorithm, expected) in [
            // One token comes back every 250 ms.
            (Algorithm::TokenBucket, "0 0 0 0 - - - - - - 0 0 0"),
            // Eight within 100 ms.
            (Algorithm::FixedWindow, "0 0 0 0 - 0 0 0 0 - - - -"),
            (Algorithm::SlidingWindow, "0 0 0 0 - - - - - - - 0 0"),
            // Four are queued at once, and proceed one every 250 ms.
            (Algorithm::LeakyBucket, "0 250 500 750 - - - - - - 750 250 499"),
        ] {
            assert_eq!(delays(algorithm, &arrivals), expected, "{}", algorithm.name());
        }
    }

    #[test]
    fn the_slowest_limit_overflows_no_time() {
        let limit = Limit::parse("1000000000", "1e-9").unwrap();
        let cost = Cost::parse(b"400000000").unwrap();
        for (algorithm, expected) in [
            (Algorithm::TokenBucket, [Some(0), Some(0), None, None]),
            (Algorithm::FixedWindow, [Some(0), Some(0), None, None]),
            (Algorithm::SlidingWindow, [Some(0), Some(0), None, None]),
            (Algorithm::LeakyBucket, [Some(0), Some(super::LONGEST), None, None]),
        ] {
            let mut limiter = algorithm.start(&limit, cost);
            let delays = [1, 2, 3, 4].map(|at| limiter.admit(at));
            assert_eq!(delays, expected, "{}", algorithm.name());
            let admitted: Vec<u64> =
                [1, 2].into_iter().zip(delays).map(|(at, delay)| at + delay.unwrap()).collect();
            assert!(most_within(&admitted, super::window(&limit)) > 0);
        }
    }

    #[test]
    fn no_algorithm_admits_more_than_its_bound() {
        let limit = Limit::parse("7", "3/s").unwrap();
        let window = super::window(&limit);
        let mut rng = fastrand::Rng::with_seed(3);
        for algorithm in Algorithm::ALL {
            let mut limiter = algorithm.start(&limit, Cost::ONE);
            let (mut at, mut admitted) = (0, Vec::new());
            for _ in 0..20_000 {
                at += rng.u64(0..400_000);
                if let Some(delay) = limiter.admit(at) {
                    admitted.push(at + delay);
                }
            }
            let most = most_within(&admitted, window);
            let bound = match algorithm {
                Algorithm::TokenBucket | Algorithm::FixedWindow => 14,
                Algorithm::SlidingWindow => 7,
                Algorithm::LeakyBucket => 8, // both ends of the window
            };
            assert!(most <= bound, "{}: {most}", algorithm.name());
            assert!(most >= bound - 2, "{}: {most}", algorithm.name());
        }
    }
}
