//! The command: a probe, the run, and its report.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use super::{
    args::BenchArgs,
    http::FrontLoad,
    plan::{LoadPlan, LoadTarget},
    redis::RedisLoad,
    report::LoadReport,
    run::{LoadRun, StopSignals},
    schedule::Schedule,
};
use crate::{error::ToolError, target::Target};

/// Runs the benchmark and prints its report to stdout, or the error to stderr. The exit code is 0
/// if every check was decided, 1 if there were errors or no answers, 2 for a bad command line.
pub async fn execute(args: &BenchArgs) -> ExitCode {
    match run(args, |name| env::var(name).ok(), &mut io::stdout()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "rl-server: {error}");
            ExitCode::from(if matches!(error, ToolError::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Runs the benchmark and writes its report to `out`. Returns whether every check was decided.
/// `lookup` reads environment variables.
async fn run(
    args: &BenchArgs,
    lookup: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> Result<bool, ToolError> {
    let keyspace = args.keyspace()?;
    let target = match args.target.resolve(lookup)? {
        Target::Front(front) => {
            LoadTarget::Front(Box::new(FrontLoad::new(front, args, &keyspace)?))
        }
        Target::Redis(redis) => {
            LoadTarget::Redis(Box::new(RedisLoad::new(redis, args, &keyspace)?))
        }
    };
    let name = target.name().to_owned();
    let engine = target.probe().await?;
    let plan = Arc::new(LoadPlan {
        target,
        keyspace,
        schedule: Schedule::new(args.requests_per_second(), args.duration),
        batch: args.batch,
        connections: args.connections,
        pipeline: args.pipeline,
        // Each has at least one connection.
        threads: args.threads.min(args.connections),
    });
    let failed = |error: io::Error| ToolError::no_answer(error.to_string());
    let signals = StopSignals::new().map_err(failed)?;
    let run = LoadRun::execute(plan, args.duration, signals).await.map_err(failed)?;
    let schedule = &run.plan.schedule;
    let report = LoadReport {
        target: name,
        engine,
        load: args.describe(),
        requested_rate: args.rate.map(|rate| rate.per_second()),
        due: schedule.due() * args.batch as u64,
        unsent: schedule.unsent() * args.batch as u64,
        elapsed: run.elapsed,
        is_interrupted: run.is_interrupted,
        busy_share: run.busy.as_secs_f64() / run.elapsed.as_secs_f64().max(1e-9),
        stats: run.stats,
    };
    if args.target.json {
        report.write_json(out)?;
    } else {
        report.write(out)?;
    }
    Ok(report.is_success())
}

#[cfg(test)]
mod tests;
