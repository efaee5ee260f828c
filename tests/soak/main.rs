//! Random faults under load, on a Sentinel setup and on a cluster at the same time. An audit after
//! each fault asserts that no caller waited too long, no limit was exceeded, and no token was lost
//! or charged twice.
//!
//! | file | contents |
//! | --- | --- |
//! | `fault` | the faults, and how each is injected and healed |
//! | `topology`, `sentinel`, `cluster` | the servers, each behind a proxy that injects faults |
//! | `episode` | one fault under load |
//! | `audit` | the promises that every episode must keep, and its statistics |
//! | `stall_meter` | the longest stall of the machine itself |
//! | `totals` | the sums over all episodes |

mod audit;
mod cluster;
mod episode;
mod fault;
mod sentinel;
mod stall_meter;
mod topology;
mod totals;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use rl_tests::Flavour;

use crate::{
    cluster::ClusterTopology, fault::FaultKind, sentinel::SentinelTopology, topology::Topology,
    totals::Totals,
};

/// Injects random faults under load, into a Sentinel setup and a cluster, and audits each of them
#[derive(Parser)]
#[command(name = "scripts/soak")]
struct Args {
    /// Minutes to run; the last episode is completed
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Seed that an earlier run printed, for the same faults in the same order
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let Args { minutes, seed } = Args::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("{}; seed {seed}", Flavour::name());
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let mut rng = Rng::with_seed(seed);
    let rngs = [rng.fork(), rng.fork()];
    let all: Vec<_> = thread::scope(|scope| {
        let soaks: [fn(Rng, Instant) -> Totals; 2] =
            [soak::<SentinelTopology>, soak::<ClusterTopology>];
        let threads: Vec<_> = soaks
            .into_iter()
            .zip(rngs)
            .map(|(soak, rng)| scope.spawn(move || soak(rng, end)))
            .collect();
        threads.into_iter().map(|it| it.join().expect("totals")).collect()
    });
    println!();
    all.iter().for_each(|totals| println!("{totals}\n"));
    if !all.iter().any(|totals| totals.has_failed) {
        println!("all promises kept");
        return ExitCode::SUCCESS;
    }
    println!("to repeat the same faults: scripts/soak --minutes {minutes} --seed {seed}");
    ExitCode::FAILURE
}

/// Runs episodes until the time is over or one fails.
fn soak<T: Topology>(mut rng: Rng, end: Instant) -> Totals {
    let mut totals = Totals::new(T::NAME);
    let start = Instant::now();
    // A failed assertion panics, which prints the logs of all processes.
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut topology = T::start();
        let mut fronts = episode::fronts(&topology.url());
        while Instant::now() < end {
            let fault = FaultKind::random(T::HAS_SLOTS, &mut rng);
            totals.start_episode(fault);
            let episode = episode::run(&mut topology, &mut fronts, fault, &mut rng);
            println!("{:6.1} s  {:8}  {episode}", start.elapsed().as_secs_f64(), T::NAME);
            totals.add(episode);
        }
    }));
    totals.has_failed = result.is_err();
    totals
}
