//! The command: its arguments, and the outputs of a simulation.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rl_bucket::{Capacity, Cost, Limit, Rate};
use rl_store::bucket_key::DEFAULT_POLICY;

use super::{
    load::{ArrivalProcess, Load},
    plot, report,
    simulation::Simulation,
};
use crate::flags::{capacity, cost, rate};

/// The arguments of `simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limit", after_help = AFTER_HELP)]
pub struct SimulateArgs {
    /// Capacity: tokens in a full bucket, or tokens per window
    #[arg(long, value_name = "TOKENS", default_value = "10", value_parser = capacity)]
    capacity: Capacity,

    /// Rate at which buckets refill, such as 100/m
    ///
    /// Written as 10 (per second), 100/m, 5000/h, 1000/d or 5/10s.
    #[arg(long, value_name = "RATE", default_value = "10/s", value_parser = rate)]
    rate: Rate,

    /// Policy file to take the limit from, instead of --capacity and --rate
    #[arg(long, value_name = "FILE", conflicts_with_all = ["capacity", "rate"])]
    config: Option<PathBuf>,

    /// With --config: policy of the limit, or POLICY:LIMIT if it has several
    #[arg(long, value_name = "NAME", default_value = DEFAULT_POLICY, requires = "config")]
    policy: String,

    /// Cost of each request
    #[arg(long, value_name = "TOKENS", default_value = "1", value_parser = cost)]
    #[arg(help_heading = LOAD)]
    cost: Cost,

    /// Rates at which requests arrive, each for a time; a rate of 0 is a pause
    #[arg(long, value_name = "RATE:TIME,...", default_value = "5/s:3s,40/s:3s,0:2s,15/s:4s")]
    #[arg(value_parser = Load::parse, help_heading = LOAD)]
    load: Load,

    /// Let requests arrive at random, not at even intervals
    ///
    /// They then arrive as from many callers: a Poisson process.
    #[arg(long, help_heading = LOAD)]
    poisson: bool,

    /// With --poisson: seed of the random arrivals
    #[arg(long, value_name = "N", default_value = "1", requires = "poisson")]
    #[arg(help_heading = LOAD)]
    seed: u64,

    /// Also draw the simulation, as an SVG file
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file, help_heading = "Output")]
    pub(super) plot: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  10 tokens, 10 a second, under quiet and busy seconds:
    rl-server simulate

  A limit of your policy file, under bursts:
    rl-server simulate --config policies.toml --policy api:burst --load 0:900ms,100/s:200ms

  As a drawing:
    rl-server simulate --capacity 100 --rate 100/m --poisson --plot bursts.svg

Exit status:
  0  simulated
  1  a file could not be read or written
  2  invalid command line";

const LOAD: &str = "Load";

/// Simulates, prints the report, and draws it if `--plot` is given. `policy_limit` reads the limit
/// of a policy (or `POLICY:LIMIT`) from a policy file. The error names the file that could not be
/// read or written.
pub fn run(
    args: &SimulateArgs,
    policy_limit: impl Fn(&Path, &str) -> Result<Limit, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    let limit = match &args.config {
        None => args.inline_limit(),
        Some(file) => policy_limit(file, &args.policy).map_err(io::Error::other)?,
    };
    let simulation = args.simulate(limit);
    if let Some(file) = &args.plot {
        fs::write(file, plot::svg(&simulation)).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot write {}: {error}", file.display()))
        })?;
    }
    report::write(&simulation, out)
}

/// A file to draw into. Another name would be overwritten with what its programs cannot read.
fn svg_file(name: &str) -> Result<PathBuf, &'static str> {
    let file = PathBuf::from(name);
    if file.extension().is_some_and(|it| it.eq_ignore_ascii_case("svg")) {
        Ok(file)
    } else {
        Err("the drawing is an SVG: the file's name must end in .svg")
    }
}

// === impl SimulateArgs ===

impl SimulateArgs {
    pub(super) fn simulate(&self, limit: Limit) -> Simulation {
        let arrivals = if self.poisson {
            ArrivalProcess::Poisson { seed: self.seed }
        } else {
            ArrivalProcess::Even
        };
        Simulation::new(limit, self.cost, self.load.arrivals(arrivals), self.load.length())
    }

    pub(super) fn inline_limit(&self) -> Limit {
        Limit::new(self.capacity, self.rate)
    }
}
