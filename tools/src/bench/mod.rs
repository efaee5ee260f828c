//! `rl-server bench`: a load generator for users, against a front of theirs or straight at Redis.
//!
//! It measures what callers would see: with a rate the moments of requests are fixed beforehand and what
//! comes late counts from them; keys are drawn as skewed as real ones; and it says when what it measured was
//! itself. What is sent has a prefix of its own, so that no real caller's bucket is touched.
//!
//! `args` say what to do; `load` says when the next request is due, `keys` about whom; a `worker` sends it by
//! `http` or `redis` and counts in a `tally`; `progress` and `report` show that.

mod args;
mod histogram;
mod http;
mod keys;
mod load;
mod progress;
mod redis;
mod report;
mod tally;
mod worker;
mod zipf;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{interval_at, sleep_until},
};

use self::{
    load::Load,
    progress::Progress,
    report::Report,
    tally::Tally,
    worker::{Bench, Target, Worker},
};
use crate::query::{Failure, Place};

pub use self::args::BenchArgs;

/// Whoever may end it before its time.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

/// A run that goes on.
struct Run {
    bench: Arc<Bench>,
    workers: Vec<Worker>,
    /// Of all that was taken from them.
    tally: Tally,
}

const SECOND: Duration = Duration::from_secs(1);

/// Runs, shows the result on stdout or the failure on stderr, and says how to exit: 0 done, 1 there
/// were errors or no answer at all, 2 a command line that makes no sense.
pub async fn execute(args: &BenchArgs) -> ExitCode {
    match run(args, |name| env::var(name).ok(), &mut io::stdout()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "rl-server: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Whether every check was decided.
async fn run(
    args: &BenchArgs,
    lookup: impl Fn(&str) -> Option<String>,
    out: &mut impl Write,
) -> Result<bool, Failure> {
    let keys = args.keys()?;
    let (target, name) = match args.target.place(lookup)? {
        Place::Front(front) => {
            let site = http::Site::new(front, args, &keys)?;
            let name = site.name().to_owned();
            (Target::Front(Box::new(site)), name)
        }
        Place::Redis(redis) => {
            let site = redis::Site::new(redis, args, &keys)?;
            let name = site.name().to_owned();
            (Target::Redis(Box::new(site)), name)
        }
    };
    let engine = match &target {
        Target::Front(site) => site.probe().await.map(|()| None)?,
        Target::Redis(site) => Some(site.probe().await?),
    };
    let bench = Arc::new(Bench {
        target,
        keys,
        load: Load::new(args.requests(), args.duration),
        batch: args.batch,
        connections: args.connections,
        pipeline: args.pipeline,
        // None without a connection.
        threads: args.threads.min(args.connections),
    });
    let unable = |error: io::Error| Failure::unanswered(error.to_string());
    let interrupts = Interrupts::new().map_err(unable)?;
    let (mut run, elapsed, interrupted) =
        Run::execute(bench, args.duration, interrupts).await.map_err(unable)?;
    run.fetch();
    let load = &run.bench.load;
    let busy = run.workers.iter().map(Worker::busy).max().unwrap_or_default();
    let report = Report {
        target: name,
        engine,
        load: args.describe(),
        asked: args.rate.map(|rate| rate.per_second()),
        due: load.released() * args.batch as u64,
        missed: load.missed() * args.batch as u64,
        elapsed,
        interrupted,
        busy: busy.as_secs_f64() / elapsed.as_secs_f64().max(1e-9),
        tally: run.tally,
    };
    if args.target.json {
        report.write_json(out)?;
    } else {
        report.write(out)?;
    }
    Ok(report.is_good())
}

// === impl Run ===

impl Run {
    /// All of it: the run, how long requests were sent, and whether somebody ended it.
    async fn execute(
        bench: Arc<Bench>,
        duration: Duration,
        mut interrupts: Interrupts,
    ) -> io::Result<(Self, Duration, bool)> {
        let (ready, mut done) = mpsc::unbounded_channel();
        let (go, gone) = watch::channel(false);
        let workers = (0..bench.threads)
            .map(|n| Worker::start(&bench, n, ready.clone(), gone.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        drop(ready);
        let mut run = Self { bench, workers, tally: Tally::new() };
        for _ in &run.workers {
            done.recv().await;
        }

        let start = Instant::now();
        run.bench.load.start(start);
        let _ = go.send(true);
        thread::spawn({
            let bench = Arc::clone(&run.bench);
            move || bench.load.pace()
        });
        let mut progress = Progress::on_stderr();
        let mut seconds = interval_at((start + SECOND).into(), SECOND);
        let (mut shown, mut sent, mut interrupted) = (start, None, false);
        loop {
            select! {
                // When every worker is done.
                _ = done.recv() => break,
                _ = seconds.tick() => {
                    let now = Instant::now();
                    progress.show(now - start, now - shown, &run.fetch());
                    shown = now;
                }
                () = sleep_until((start + duration).into()), if sent.is_none() => {
                    // Of a rate this is the whole, though the timer is late.
                    let elapsed = if run.bench.load.has_rate() { duration } else { start.elapsed() };
                    run.bench.load.stop(elapsed);
                    sent = Some(elapsed);
                }
                // Once: what is in flight is waited for. Twice: it is not.
                () = interrupts.next() => {
                    interrupted = true;
                    if sent.is_some() {
                        break;
                    }
                    run.bench.load.stop(start.elapsed());
                    sent = Some(start.elapsed());
                }
            }
        }
        progress.clear();
        Ok((run, sent.unwrap_or_else(|| start.elapsed()), interrupted))
    }

    /// What came since the last time.
    fn fetch(&mut self) -> Tally {
        let mut last = Tally::new();
        for worker in &self.workers {
            last.add(&worker.take());
        }
        self.tally.add(&last);
        last
    }
}

// === impl Interrupts ===

impl Interrupts {
    fn new() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;
