//! The benchmarks of RL: `scripts/bench` builds and runs this.
//!
//! | file | contents |
//! | --- | --- |
//! | `rows` | the measurements |
//! | `comparisons` | ratios, differences and targets that are computed from them |
//! | `bench` | rounds, and the loop in which the variants of a row take turns |
//! | `call`, `reply_counter`, `load` | a load of prebuilt requests, faster than any server here |
//! | `redis_benchmark` | `redis-benchmark`, the load generator of Redis |
//! | `open_loop` | a load of constant rate, for latencies |
//! | `wrk`, `wrk.lua` | the load on HTTP servers, with wrk |
//! | `cpu`, `callgrind` | the cost to a server: CPU time, instructions |
//! | `bare`, `steps`, `plain.lua` | references, and the bucket step on its own |
//! | `sample`, `raw`, `report`, `machine` | results, on disk and as tables |
//! | `charts`, `svg` | results as charts |
//!
//! Every figure is compared with a reference measured in the same loop, since the machine is never
//! quiet. No figure fails the run; an error or a wrong reply does.

#![forbid(unsafe_code)]

mod bare;
mod bench;
mod call;
mod callgrind;
mod charts;
mod comparisons;
mod cpu;
mod load;
mod machine;
mod open_loop;
mod raw;
mod redis_benchmark;
mod reply_counter;
mod report;
mod rows;
mod sample;
mod steps;
mod svg;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use bench::{Bench, Plan};
use raw::{Raw, Record};
use rows::{OtherModule, PEERS_HTTP, PEERS_REDIS, ROWS, Row};

/// Measures RL and reference programs in turn, and prints the ratios
#[derive(Parser)]
#[command(bin_name = "scripts/bench", disable_help_subcommand = true)]
struct Args {
    /// Run everything once, briefly, to check that it works
    #[arg(long)]
    quick: bool,
    /// Only count instructions, with callgrind
    #[arg(long)]
    instructions: bool,
    /// Only run rows whose name contains NAME (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Number of rounds; each measures every variant of a row once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Also measure other rate limiters under the same load
    #[arg(long)]
    peers: bool,
    /// Also measure this Redis module, such as redis-cell
    #[arg(long, value_name = "FILE", requires = "command")]
    module: Option<PathBuf>,
    /// Command of that module; KEY stands for the key
    #[arg(long, value_name = "WORDS", requires = "module")]
    command: Option<String>,
    /// Measure nothing: redraw the report and the charts from the results in --out
    #[arg(long, requires = "out")]
    charts: bool,
    /// Folder for the results [default: docs/benchmarks/DATE for a full run, else target/bench]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    helper: Option<HelperProcess>,
}

/// A process that this program starts for itself.
#[derive(Subcommand)]
enum HelperProcess {
    /// The bare handler.
    #[command(hide = true)]
    Bare,
    /// This many steps of a bucket.
    #[command(hide = true)]
    Steps { count: u64 },
}

fn main() {
    let args = Args::parse();
    match args.helper {
        Some(HelperProcess::Bare) => bare::serve().expect("to serve"),
        Some(HelperProcess::Steps { count }) => steps::run(count),
        None if args.charts => show(&raw::read(&args.folder()), &args.folder()),
        None => measure(&args, &args.rows()),
    }
}

fn measure(args: &Args, rows: &[Row]) {
    let folder = args.folder();
    let other_module = args.module.clone().zip(args.command.clone());
    let mut bench = Bench {
        plan: args.plan(),
        with_peers: args.peers,
        other_module: other_module.map(|(file, command)| OtherModule { file, command }),
        raw: Raw::create(&folder),
    };
    fs::write(folder.join("machine.txt"), machine::describe()).expect("to write results");
    for (row, run) in rows {
        let start = Instant::now();
        eprint!("{row} ... ");
        run(&mut bench, row);
        eprintln!("{:.1} s", start.elapsed().as_secs_f64());
    }
    show(bench.raw.records(), &folder);
}

fn show(records: &[Record], folder: &Path) {
    let report = report::report(records);
    fs::write(folder.join("report.md"), &report).expect("to write results");
    let mut names = vec!["raw.jsonl", "report.md", "machine.txt"];
    // The published charts show the latest run: there is one set, not one per day.
    let parent = folder.parent().filter(|parent| parent.ends_with("docs/benchmarks"));
    names.extend(charts::draw(records, parent.unwrap_or(folder)));
    println!("{report}Results written to {}: {}", folder.display(), names.join(", "));
}

// === impl Args ===

impl Args {
    fn plan(&self) -> Plan {
        let plan = if self.quick { Plan::quick() } else { Plan::whole() };
        Plan { rounds: self.rounds.unwrap_or(plan.rounds), ..plan }
    }

    /// The rows to measure. Exits with a usage error if there are none.
    fn rows(&self) -> Vec<Row> {
        let rows: Vec<Row> = ROWS.iter().filter(|(row, _)| self.wants(row)).copied().collect();
        if rows.is_empty() {
            let names: Vec<_> = ROWS.iter().map(|(row, _)| *row).collect();
            let message = format!("no row matches; the rows are: {}", names.join(", "));
            Self::command().error(ErrorKind::InvalidValue, message).exit();
        }
        rows
    }

    fn wants(&self, row: &str) -> bool {
        if self.instructions {
            return row == "instructions";
        }
        if row == PEERS_HTTP && !self.peers {
            return false;
        }
        if row == PEERS_REDIS && !self.peers && self.module.is_none() {
            return false;
        }
        self.only.is_empty() || self.only.iter().any(|part| row.contains(part))
    }

    fn folder(&self) -> PathBuf {
        let is_whole = !self.quick && !self.instructions && self.only.is_empty();
        self.out.clone().unwrap_or_else(|| match is_whole {
            true => PathBuf::from("docs/benchmarks").join(machine::first_line("date", &["+%F"])),
            false => PathBuf::from("target/bench"),
        })
    }
}
