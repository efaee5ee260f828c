//! Four ways to hold a limit, each deciding on one arrival after the other.

use std::collections::VecDeque;

use rl_bucket::{Bucket, Cost, Level, Limit, Micros};

/// A way to hold a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The one that RL serves.
    TokenBucket,
    /// Count in windows that follow each other.
    FixedWindow,
    /// Count in the window that ends now: the exact form, which keeps a log of what it admitted.
    SlidingWindow,
    /// A queue that drains at the rate: admitted requests wait (Turner, "New directions in
    /// communications", 1986; as a queue, not as a meter, which is a token bucket).
    LeakyBucket,
}

/// How long until an arrival goes on, in microseconds; `None`: it is refused.
pub(super) type Delay = Option<u64>;

/// An algorithm at work.
pub(super) struct State {
    limit: Limit,
    cost: Cost,
    memory: Memory,
}

enum Memory {
    Bucket(Option<Bucket>),
    /// The number of the window, and what was admitted in it.
    Window(u64, f64),
    /// When each was admitted.
    Log(VecDeque<u64>),
    /// When the queue was looked at, and what was in it then, in tokens.
    Queue(u64, f64),
}

/// The bucket's clock counts from 1970: any moment will do, and this one has whole seconds.
const START: u64 = 1_700_000_000_000_000;

/// The time in which an empty bucket fills, in microseconds, at least 1.
pub(super) fn window(limit: &Limit) -> u64 {
    ((limit.capacity().tokens() * 1e6 / limit.rate().per_second()) as u64).max(1)
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

    /// At the start, nothing having been admitted.
    pub(super) fn start(self, limit: &Limit, cost: Cost) -> State {
        let memory = match self {
            Self::TokenBucket => Memory::Bucket(None),
            Self::FixedWindow => Memory::Window(0, 0.0),
            Self::SlidingWindow => Memory::Log(VecDeque::new()),
            Self::LeakyBucket => Memory::Queue(0, 0.0),
        };
        State { limit: *limit, cost, memory }
    }
}

// === impl State ===

impl State {
    /// A request arrives, `at` microseconds from the start; never before the last one.
    pub(super) fn arrive(&mut self, at: u64) -> Delay {
        let (capacity, cost) = (self.limit.capacity().tokens(), self.cost.tokens());
        let (rate, window) = (self.rate(), window(&self.limit));
        match &mut self.memory {
            Memory::Bucket(bucket) => {
                let level = Level::at(*bucket, &self.limit, Micros::new(START + at));
                let step = level.check(self.cost);
                *bucket = step.write.or(*bucket);
                step.decision.is_allowed().then_some(0)
            }
            Memory::Window(number, admitted) => {
                if *number != at / window {
                    (*number, *admitted) = (at / window, 0.0);
                }
                let allowed = *admitted + cost <= capacity;
                *admitted += if allowed { cost } else { 0.0 };
                allowed.then_some(0)
            }
            Memory::Log(log) => {
                while log.front().is_some_and(|admitted| admitted + window <= at) {
                    log.pop_front();
                }
                let allowed = (log.len() as f64 + 1.0) * cost <= capacity;
                if allowed {
                    log.push_back(at);
                }
                allowed.then_some(0)
            }
            Memory::Queue(looked, queued) => {
                let waiting = (*queued - (at - *looked) as f64 * rate).max(0.0);
                let allowed = waiting + cost <= capacity;
                (*looked, *queued) = (at, if allowed { waiting + cost } else { waiting });
                allowed.then_some((waiting / rate) as u64)
            }
        }
    }

    /// What could be admitted at that moment, in tokens.
    pub(super) fn left(&self, at: u64) -> f64 {
        let capacity = self.limit.capacity().tokens();
        let window = window(&self.limit);
        match &self.memory {
            Memory::Bucket(bucket) => {
                let level = Level::at(*bucket, &self.limit, Micros::new(START + at));
                level.peek(Cost::ZERO).remaining as f64
            }
            Memory::Window(number, _) if *number != at / window => capacity,
            Memory::Window(_, admitted) => capacity - admitted,
            Memory::Log(log) => {
                let recent = log.iter().filter(|admitted| **admitted + window > at).count();
                capacity - recent as f64 * self.cost.tokens()
            }
            Memory::Queue(looked, queued) => {
                capacity - (queued - (at - looked) as f64 * self.rate()).max(0.0)
            }
        }
    }

    /// Tokens a microsecond.
    fn rate(&self) -> f64 {
        self.limit.rate().per_second() / 1e6
    }
}

#[cfg(test)]
mod tests {
    use rl_bucket::{Cost, Limit};

    use super::Algorithm;

    /// The delays in milliseconds, `-` for a refusal, of arrivals at these milliseconds under `4` and `4/s`.
    fn story(algorithm: Algorithm, arrivals: &[u64]) -> String {
        let mut state = algorithm.start(&Limit::parse("4", "4/s").unwrap(), Cost::ONE);
        let words = arrivals.iter().map(|ms| match state.arrive(ms * 1000) {
            Some(delay) => (delay / 1000).to_string(),
            None => "-".to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_burst_at_the_edge_of_a_window() {
        let arrivals = [900, 900, 900, 900, 900, 1000, 1000, 1000, 1000, 1000, 1150, 1900, 1901];
        for (algorithm, expected) in [
            // One token comes back every 250 ms.
            (Algorithm::TokenBucket, "0 0 0 0 - - - - - - 0 0 0"),
            // Eight within 100 ms.
            (Algorithm::FixedWindow, "0 0 0 0 - 0 0 0 0 - - - -"),
            (Algorithm::SlidingWindow, "0 0 0 0 - - - - - - - 0 0"),
            // Four are queued at once, and go on one every 250 ms.
            (Algorithm::LeakyBucket, "0 250 500 750 - - - - - - 750 250 499"),
        ] {
            assert_eq!(story(algorithm, &arrivals), expected, "{}", algorithm.name());
        }
    }

    #[test]
    fn what_none_may_exceed() {
        let limit = Limit::parse("7", "3/s").unwrap();
        let window = super::window(&limit);
        let mut chance = fastrand::Rng::with_seed(3);
        for algorithm in Algorithm::ALL {
            let mut state = algorithm.start(&limit, Cost::ONE);
            let (mut at, mut admitted) = (0, Vec::new());
            for _ in 0..20_000 {
                at += chance.u64(0..400_000);
                if let Some(delay) = state.arrive(at) {
                    admitted.push(at + delay);
                }
            }
            let most = super::super::report::most_within(&admitted, window);
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
