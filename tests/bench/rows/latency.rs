//! What a request waits at a given load, in parts of the most that the bare handler does.

use rl_tests::Front;

use super::http::{Over, Stack, bare, port};
use crate::bench::Bench;
use crate::call::{Call, KEY};
use crate::open_loop::OpenLoop;
use crate::sample::Sample;
use crate::wrk::Wrk;

const KEYS: u32 = 100_000;

/// The bare handler and fronts, all with one worker.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let bare = bare();
    let stacks = [Over::Memory, Over::Module].map(|over| (over, Stack::in_use(over, 1)));
    let most = Wrk::check(KEYS).run(bare.address(), plan.seconds, &[bare.pid()]);
    bench.note(row, "most of the bare handler", most);
    let fronts = stacks.iter().map(|(over, stack)| (over.name(), &stack.front));
    let mut servers: Vec<(&str, &Front)> = std::iter::once(("bare", &bare)).chain(fronts).collect();
    let call = Call::http("POST", "/check", &format!(r#"{{"key":"{KEY}"}}"#));
    for round in 0..plan.rounds {
        for load in plan.loads {
            for (name, server) in &servers {
                let rate = most.value * f64::from(*load) / 100.0;
                let time = plan.measured;
                let waits =
                    OpenLoop { port: port(server), call: &call, keys: KEYS, rate, time }.run();
                for (quantile, part) in [("p50", 0.5), ("p99", 0.99)] {
                    let sample = Sample::of(waits.quantile(part), "µs");
                    let sample = Sample { seconds: time.as_secs_f64(), ..sample };
                    bench.raw.add(row, round, &format!("{name} {load}% {quantile}"), sample);
                }
            }
        }
        servers.reverse();
    }
}
