//! The latency of a request at given loads, in percent of the bare handler's maximum throughput.

use rl_tests::Front;

use super::http::{Engine, Stack, bare, port};
use crate::bench::Bench;
use crate::call::{Call, KEY};
use crate::open_loop::OpenLoop;
use crate::sample::Sample;
use crate::wrk::Wrk;

const KEYS: u32 = 100_000;

/// Measures the bare handler and fronts, all with one worker.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let bare = bare();
    let stacks = [Engine::Memory, Engine::Module]
        .map(|engine| (engine, Stack::with_buckets_in_use(engine, 1)));
    let max = Wrk::check(KEYS).run(bare.address(), plan.wrk_seconds, &[bare.pid()]);
    bench.note(row, "most of the bare handler", max);
    let fronts = stacks.iter().map(|(engine, stack)| (engine.name(), &stack.front));
    let mut servers: Vec<(&str, &Front)> = std::iter::once(("bare", &bare)).chain(fronts).collect();
    let call = Call::http("POST", "/check", &format!(r#"{{"key":"{KEY}"}}"#));
    for round in 0..plan.rounds {
        for load in plan.loads {
            for (name, server) in &servers {
                let rate = max.value * f64::from(*load) / 100.0;
                let time = plan.measure_time;
                let latencies =
                    OpenLoop { port: port(server), call: &call, keys: KEYS, rate, time }.run();
                for (quantile, fraction) in [("p50", 0.5), ("p99", 0.99)] {
                    let sample = Sample::of(latencies.quantile(fraction), "µs");
                    let sample = Sample { seconds: time.as_secs_f64(), ..sample };
                    bench.raw.add(row, round, &format!("{name} {load}% {quantile}"), sample);
                }
            }
        }
        servers.reverse();
    }
}
