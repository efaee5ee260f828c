//! `rl-server simulate`: one limit, one load, four algorithms side by side, so that one sees why bursts
//! behave as they do.
//!
//! The token bucket is the one that serves, not a copy; time is passed to it. Nothing here reads a clock,
//! so equal arguments give equal output.

mod algorithm;
mod load;
mod plot;
mod report;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rl_bucket::{Capacity, Cost, Limit, Rate};

use self::{
    algorithm::{Algorithm, Delay},
    load::Load,
};
use crate::flags::{capacity, cost, rate};
use rl_store::bucket_key::DEFAULT_POLICY;

/// What to simulate.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateArgs {
    /// Tokens a bucket holds, or requests a window
    #[arg(long, value_name = "TOKENS", default_value = "10", value_parser = capacity)]
    capacity: Capacity,

    /// How fast they come back: 10 (a second), 100/m, 5000/h, 1000/d, 5/10s
    #[arg(long, value_name = "RATE", default_value = "10/s", value_parser = rate)]
    rate: Rate,

    /// In place of these two: the policy file that has the limit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["capacity", "rate"])]
    config: Option<PathBuf>,

    /// Which policy of the file; POLICY:LIMIT if it has several limits
    #[arg(long, value_name = "NAME", default_value = DEFAULT_POLICY, requires = "config")]
    policy: String,

    /// What one request costs
    #[arg(long, value_name = "TOKENS", default_value = "1", value_parser = cost)]
    cost: Cost,

    /// How requests arrive: rates, each for a time; a rate of 0 is silence
    #[arg(long, value_name = "RATE:TIME,...", default_value = "5/s:3s,40/s:3s,0:2s,15/s:4s")]
    #[arg(value_parser = Load::parse)]
    load: Load,

    /// Let them arrive at random, as from many callers (a Poisson process), in place of evenly
    #[arg(long)]
    poisson: bool,

    /// Of the chance
    #[arg(long, value_name = "N", default_value = "1", requires = "poisson")]
    seed: u64,

    /// Draw it too
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// What one algorithm made of the load.
struct Run {
    algorithm: Algorithm,
    /// One for each arrival.
    delays: Vec<Delay>,
    /// What could be admitted at [`SAMPLES`] moments, evenly from the start, in tokens.
    left: Vec<f64>,
}

/// The same requests under every algorithm.
struct Simulation {
    limit: Limit,
    cost: Cost,
    /// Microseconds from the start, ascending.
    arrivals: Vec<u64>,
    /// Of the load, in microseconds.
    length: u64,
    runs: Vec<Run>,
}

const SAMPLES: u64 = 480;

/// Simulates, prints, and draws if it is told to. `policy_limit` reads the limit of a policy (or
/// `POLICY:LIMIT`) from a policy file. The error names the file that could not be read or written.
pub fn run(
    args: &SimulateArgs,
    policy_limit: impl Fn(&Path, &str) -> Result<Limit, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    let limit = match &args.config {
        None => Limit::new(args.capacity, args.rate),
        Some(file) => policy_limit(file, &args.policy).map_err(io::Error::other)?,
    };
    let simulation = Simulation::new(args, limit);
    if let Some(file) = &args.plot {
        let said = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot write {}: {error}", file.display()))
        };
        fs::write(file, plot::svg(&simulation)).map_err(said)?;
    }
    report::write(&simulation, out)
}

// === impl Simulation ===

impl Simulation {
    fn new(args: &SimulateArgs, limit: Limit) -> Self {
        let arrivals = args.load.arrivals(args.poisson.then_some(args.seed));
        let length = args.load.length();
        let run = |algorithm| Run::new(algorithm, &limit, args.cost, &arrivals, length);
        let runs = Algorithm::ALL.map(run).into();
        Self { limit, cost: args.cost, arrivals, length, runs }
    }

    /// The time in which an empty bucket fills, which is a window of the same limit: microseconds.
    fn window(&self) -> u64 {
        algorithm::window(&self.limit)
    }
}

// === impl Run ===

impl Run {
    fn new(algorithm: Algorithm, limit: &Limit, cost: Cost, arrivals: &[u64], length: u64) -> Self {
        let mut state = algorithm.start(limit, cost);
        let (mut delays, mut left) = (Vec::with_capacity(arrivals.len()), Vec::new());
        for sample in 0..SAMPLES {
            let at = length * sample / SAMPLES;
            while let Some(arrival) = arrivals.get(delays.len()).filter(|arrival| **arrival <= at) {
                delays.push(state.arrive(*arrival));
            }
            left.push(state.left(at));
        }
        delays.extend(arrivals[delays.len()..].iter().map(|arrival| state.arrive(*arrival)));
        Self { algorithm, delays, left }
    }

    /// When each admitted request goes on, ascending.
    fn departures(&self, arrivals: &[u64]) -> Vec<u64> {
        let pairs = arrivals.iter().zip(&self.delays);
        pairs.filter_map(|(at, delay)| Some(at + (*delay)?)).collect()
    }
}

#[cfg(test)]
mod tests;
