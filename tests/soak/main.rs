//! Random faults under load, on a group that Sentinels watch and on a cluster at the same time, with an account
//! drawn up after each: nobody waited, no limit was exceeded, nothing was lost or charged twice.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `deed` | what can go wrong, and how it is made good |
//! | `stage`, `sentinel`, `cluster` | the servers, each behind a proxy that misbehaves when told to |
//! | `episode` | one fault under load, and the account of it |
//! | `account` | what must hold |
//! | `pulse` | how long the machine itself stood still |
//! | `totals` | what it all came to |

mod account;
mod cluster;
mod deed;
mod episode;
mod pulse;
mod sentinel;
mod stage;
mod totals;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use fastrand::Rng;
use rl_tests::Flavour;

use crate::{
    cluster::ClusterStage, deed::Deed, sentinel::SentinelStage, stage::Stage, totals::Totals,
};

/// Random faults under load on a Sentinel and a Cluster setup, with exact accounting after each.
#[derive(Parser)]
#[command(name = "scripts/soak")]
struct Args {
    /// How long; an episode that has begun is ended
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Where chance begins, as another run printed it: the same faults in the same order
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let Args { minutes, seed } = Args::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("{}; seed {seed}", Flavour::name());
    let until = Instant::now() + Duration::from_secs_f64(60.0 * minutes);
    let mut chance = Rng::with_seed(seed);
    let chances = [chance.fork(), chance.fork()];
    let all: Vec<_> = thread::scope(|scope| {
        let stages: [fn(Rng, Instant) -> Totals; 2] = [soak::<SentinelStage>, soak::<ClusterStage>];
        let threads: Vec<_> = stages
            .into_iter()
            .zip(chances)
            .map(|(soak, chance)| scope.spawn(move || soak(chance, until)))
            .collect();
        threads.into_iter().map(|it| it.join().expect("a stage")).collect()
    });
    println!();
    all.iter().for_each(|totals| println!("{totals}\n"));
    if !all.iter().any(|totals| totals.failed) {
        println!("all held");
        return ExitCode::SUCCESS;
    }
    println!("the same faults again: scripts/soak --minutes {minutes} --seed {seed}");
    ExitCode::FAILURE
}

/// Episodes until the time is over or one fails.
fn soak<S: Stage>(mut chance: Rng, until: Instant) -> Totals {
    let mut totals = Totals::new(S::NAME);
    let began = Instant::now();
    // What is wrong is said by a panic, with the logs of all processes.
    let held = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut stage = S::start();
        let mut fronts = episode::fronts(&stage.url());
        while Instant::now() < until {
            let deed = Deed::any(S::HAS_SLOTS, &mut chance);
            totals.begin(deed);
            let told = episode::play(&mut stage, &mut fronts, deed, &mut chance);
            println!("{:6.1} s  {:8}  {told}", began.elapsed().as_secs_f64(), S::NAME);
            totals.add(told);
        }
    }));
    totals.failed = held.is_err();
    totals
}
