//! The same requests under every algorithm.

use rl_bucket::{Cost, Limit};

use super::algorithm::{self, Algorithm, Delay};

/// The same requests under every algorithm.
pub(super) struct Simulation {
    pub(super) limit: Limit,
    pub(super) cost: Cost,
    /// Microseconds from the start, ascending.
    pub(super) arrivals: Vec<u64>,
    /// The length of the load, in microseconds.
    pub(super) length: u64,
    pub(super) runs: Vec<AlgorithmRun>,
}

/// The decisions of one algorithm.
pub(super) struct AlgorithmRun {
    pub(super) algorithm: Algorithm,
    /// One for each arrival.
    pub(super) delays: Vec<Delay>,
    /// The tokens that could be admitted, at [`SAMPLES`] times evenly from the start.
    pub(super) remaining: Vec<f64>,
}

const SAMPLES: u64 = 480;

// === impl Simulation ===

impl Simulation {
    pub(super) fn new(limit: Limit, cost: Cost, arrivals: Vec<u64>, length: u64) -> Self {
        let run = |algorithm| AlgorithmRun::new(algorithm, &limit, cost, &arrivals, length);
        let runs = Algorithm::ALL.map(run).into();
        Self { limit, cost, arrivals, length, runs }
    }

    /// The time in which an empty bucket fills, which is the window of the same limit, in
    /// microseconds.
    pub(super) fn window(&self) -> u64 {
        algorithm::window(&self.limit)
    }
}

// === impl AlgorithmRun ===

impl AlgorithmRun {
    fn new(algorithm: Algorithm, limit: &Limit, cost: Cost, arrivals: &[u64], length: u64) -> Self {
        let mut limiter = algorithm.start(limit, cost);
        let (mut delays, mut remaining) = (Vec::with_capacity(arrivals.len()), Vec::new());
        for sample in 0..SAMPLES {
            let at = length * sample / SAMPLES;
            while let Some(arrival) = arrivals.get(delays.len()).filter(|arrival| **arrival <= at) {
                delays.push(limiter.admit(*arrival));
            }
            remaining.push(limiter.remaining(at));
        }
        delays.extend(arrivals[delays.len()..].iter().map(|arrival| limiter.admit(*arrival)));
        Self { algorithm, delays, remaining }
    }

    /// The times at which admitted requests proceed, ascending.
    pub(super) fn departures(&self, arrivals: &[u64]) -> Vec<u64> {
        let pairs = arrivals.iter().zip(&self.delays);
        pairs.filter_map(|(arrival, delay)| Some(arrival + (*delay)?)).collect()
    }
}
