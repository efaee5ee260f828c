//! The benchmarks of RL: `scripts/bench` builds and runs this.
//!
//! | file | holds |
//! | --- | --- |
//! | `rows` | what is measured |
//! | `figures` | what is made of it: ratios, differences, targets |
//! | `bench` | rounds, and the loop in which the sides of a row take turns |
//! | `call`, `replies`, `load` | a load of prebuilt requests that is faster than any server here |
//! | `redis_benchmark` | Redis's own load, as anybody would run it |
//! | `open_loop` | a load of constant rate, for latencies |
//! | `wrk`, `wrk.lua` | the same for HTTP with wrk |
//! | `cpu`, `callgrind` | what a server used: processor time, instructions |
//! | `bare`, `steps`, `plain.lua` | what we measure against, or alone |
//! | `sample`, `raw`, `report`, `machine` | results, on disk and as tables |
//! | `charts`, `svg` | and as pictures |
//!
//! Every figure stands beside a reference that was measured in the same loop, since the machine is never quiet.
//! No figure fails the run; an error or a wrong answer does.

#![forbid(unsafe_code)]

mod bare;
mod bench;
mod call;
mod callgrind;
mod charts;
mod cpu;
mod figures;
mod load;
mod machine;
mod open_loop;
mod raw;
mod redis_benchmark;
mod replies;
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

/// Measures RL against references, side by side, and prints the ratios.
#[derive(Parser)]
#[command(bin_name = "scripts/bench", disable_help_subcommand = true)]
struct Args {
    /// Everything, short and rough: to see that it works
    #[arg(long)]
    quick: bool,
    /// Only instructions, counted in callgrind
    #[arg(long)]
    instructions: bool,
    /// Only rows whose name holds this (may be repeated)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often the sides of a row take turns
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Other rate limiters too, under the same load
    #[arg(long)]
    peers: bool,
    /// A Redis module to run beside ours, such as redis-cell
    #[arg(long, value_name = "FILE", requires = "command")]
    module: Option<PathBuf>,
    /// Its command, in which KEY is the key
    #[arg(long, value_name = "WORDS", requires = "module")]
    command: Option<String>,
    /// Measure nothing: draw report and charts anew from the results in --out
    #[arg(long, requires = "out")]
    charts: bool,
    /// Where results go: docs/benchmarks/DATE for a whole run, else target/bench
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What this program runs as a process of its own.
#[derive(Subcommand)]
enum Part {
    /// The bare handler.
    #[command(hide = true)]
    Bare,
    /// So many steps of a bucket.
    #[command(hide = true)]
    Steps { count: u64 },
}

fn main() {
    let args = Args::parse();
    match args.part {
        Some(Part::Bare) => bare::serve().expect("to serve"),
        Some(Part::Steps { count }) => steps::run(count),
        None if args.charts => show(&raw::read(&args.folder()), &args.folder()),
        None => measure(&args, &args.rows()),
    }
}

fn measure(args: &Args, rows: &[Row]) {
    let folder = args.folder();
    let other = args.module.clone().zip(args.command.clone());
    let mut bench = Bench {
        plan: args.plan(),
        peers: args.peers,
        other: other.map(|(file, command)| OtherModule { file, command }),
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
    // What is published is one picture, not one for each day.
    let parent = folder.parent().filter(|parent| parent.ends_with("docs/benchmarks"));
    names.extend(charts::draw(records, parent.unwrap_or(folder)));
    println!("{report}Results are in {}: {}", folder.display(), names.join(", "));
}

// === impl Args ===

impl Args {
    fn plan(&self) -> Plan {
        let usual = if self.quick { Plan::quick() } else { Plan::whole() };
        Plan { rounds: self.rounds.unwrap_or(usual.rounds), ..usual }
    }

    /// What to measure; ends the program with a usage error if that is nothing.
    fn rows(&self) -> Vec<Row> {
        let rows: Vec<Row> = ROWS.iter().filter(|(row, _)| self.wants(row)).copied().collect();
        if rows.is_empty() {
            let names: Vec<_> = ROWS.iter().map(|(row, _)| *row).collect();
            let message = format!("no row to run has such a name; there are: {}", names.join(", "));
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
        let whole = !self.quick && !self.instructions && self.only.is_empty();
        self.out.clone().unwrap_or_else(|| match whole {
            true => PathBuf::from("docs/benchmarks").join(machine::said("date", &["+%F"])),
            false => PathBuf::from("target/bench"),
        })
    }
}
