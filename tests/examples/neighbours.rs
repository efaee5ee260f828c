//! The time of single checks beside large batches of others, and alone, in turns:
//! `neighbours [ROUNDS [LIMITS]]`.
//!
//! One worker; a neighbour that makes a check every two milliseconds, for two seconds alone and two
//! beside one or four callers of batches of 1,000 checks, under 16 limits each unless told otherwise.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rl_tests::{Caller, Front, Setup};
use serde_json::json;

const ROUND: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(2);

/// Checks and batches of several rounds.
#[derive(Default)]
struct Run {
    times: Vec<Duration>,
    degraded: usize,
    batches: usize,
}

fn main() {
    let args: Vec<usize> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let rounds = args.first().copied().unwrap_or(5);
    let limits = args.get(1).copied().unwrap_or(16);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    let list: String = (0..limits)
        .map(|i| format!("{{name=\"l{i}\",capacity=1000000,rate=\"{}/s\"}},", i + 1))
        .collect();
    let policies = format!(
        "[policies.default]\ncapacity = 1000000\nrate = \"1/s\"\n\
         [policies.several]\nlimits = [{list}]\n"
    );
    fs::write(&file, policies).expect("to write the policies");
    let config = file.to_str().expect("a path in UTF-8");
    let checks: Vec<_> =
        (0..1000).map(|i| json!({ "key": format!("b{i}"), "policy": "several" })).collect();
    let batch = json!({ "checks": checks }).to_string();
    for (engine, setup) in [("module", Setup::with_module()), ("lua", Setup::plain())] {
        let server = setup.start();
        let url = server.url();
        let store = ["--store", &url, "--engine", engine, "--config", config, "--workers", "1"];
        let front = Front::start(&store);
        let mut runs = [(0, Run::default()), (1, Run::default()), (4, Run::default())];
        for _ in 0..rounds {
            runs.iter_mut().for_each(|(callers, run)| run.extend(&front, *callers, &batch));
        }
        for (callers, mut run) in runs {
            run.times.sort();
            let at = |part: usize| run.times[run.times.len() * part / 1000].as_secs_f64() * 1e3;
            println!(
                "{engine:6}  beside {callers}: checks {:5}, degraded {:3}; p50 {:6.2} ms, p90 {:6.2}, \
                 p99 {:6.2}, p99.9 {:6.2}; batches {:4}",
                run.times.len(),
                run.degraded,
                at(500),
                at(900),
                at(990),
                at(999),
                run.batches
            );
        }
    }
}

// === impl Run ===

impl Run {
    fn extend(&mut self, front: &Front, callers: usize, batch: &str) {
        let (is_over, batches) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    let mut caller = Caller::of(front);
                    while !is_over.load(Ordering::Relaxed) {
                        caller.post("/check/batch", batch);
                        caller.body();
                        batches.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let (mut caller, started) = (Caller::of(front), Instant::now());
            while started.elapsed() < ROUND {
                let key = self.times.len() % 100;
                let sent = Instant::now();
                caller.post("/check", &json!({ "key": format!("n{key}") }).to_string());
                let body = caller.body();
                self.times.push(sent.elapsed());
                self.degraded += usize::from(body.windows(8).any(|it| it == b"degraded"));
                thread::sleep(PACE);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        self.batches += batches.into_inner();
    }
}
