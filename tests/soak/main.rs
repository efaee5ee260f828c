//! Random faults under load, on a Sentinel setup and on a cluster at the same time. An audit after
//! each fault asserts that no caller waited too long, no limit was exceeded, and no token was lost
//! or charged twice.
//!
//! | file | contents |
//! | --- | --- |
//! | `fault` | the faults, and how each is injected and healed |
//! | `host_name` | the name by which fronts know the servers, with an address that can be silent |
//! | `topology`, `sentinel`, `cluster` | the servers, each behind a proxy that injects faults |
//! | `episode` | one fault under load |
//! | `audit` | the promises that every episode must keep, and its statistics |
//! | `stall_meter` | the longest stall of the machine itself |
//! | `totals` | the sums over all episodes |

mod audit;
mod cluster;
mod episode;
mod fault;
mod host_name;
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
    cluster::ClusterTopology, episode::Fronts, fault::FaultKind, host_name::HostName,
    sentinel::SentinelTopology, topology::Topology, totals::Totals,
};

/// Injects random faults under load, into a Sentinel setup and a cluster, and audits each of them
#[derive(Parser)]
#[command(name = "scripts/soak", after_help = format!("Kinds of faults: {}", FaultKind::list()))]
struct Args {
    /// Minutes to run; the last episode is completed
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Seed that an earlier run printed, for the same faults in the same order
    #[arg(long)]
    seed: Option<u64>,
    /// Draw only faults of this kind, or of these if it is given several times
    #[arg(long, value_name = "KIND", value_parser = FaultKind::parse)]
    fault: Vec<FaultKind>,
}

fn main() -> ExitCode {
    let Args { minutes, seed, fault: kinds } = Args::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("{}; seed {seed}", Flavour::name());
    let host = HostName::new();
    if !host.is_known() {
        println!(
            "without silent addresses: no process here may have files of its own, see unshare(1)"
        );
    }
    let end = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let mut rng = Rng::with_seed(seed);
    let [of_sentinel, of_cluster] = [rng.fork(), rng.fork()];
    let all = thread::scope(|scope| {
        let sentinel = scope.spawn(|| soak::<SentinelTopology>(&host, &kinds, of_sentinel, end));
        let cluster = scope.spawn(|| soak::<ClusterTopology>(&host, &kinds, of_cluster, end));
        [sentinel, cluster].map(|it| it.join().expect("totals"))
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
fn soak<T: Topology>(host: &HostName, kinds: &[FaultKind], mut rng: Rng, end: Instant) -> Totals {
    let mut totals = Totals::new(T::NAME);
    let kinds = FaultKind::possible::<T>(kinds, host);
    if kinds.is_empty() {
        return totals;
    }
    let start = Instant::now();
    // A failed assertion panics, which prints the logs of all processes.
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut topology = T::start();
        let mut fronts = Fronts::start(host, &topology.url(host.as_str()), kinds[0].deadline());
        while Instant::now() < end {
            let fault = kinds[rng.usize(..kinds.len())];
            totals.start_episode(fault);
            let episode = episode::run(&mut topology, host, &mut fronts, fault, &mut rng);
            println!("{:6.1} s  {:8}  {episode}", start.elapsed().as_secs_f64(), T::NAME);
            totals.add(episode);
        }
    }));
    totals.has_failed = result.is_err();
    totals
}
