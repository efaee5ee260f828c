//! The load generator of Redis, `redis-benchmark`, run the way people run it by hand.
//!
//! It parses every reply into a tree, and an array of five takes longer than one integer. Where the
//! generator and not the server is the bottleneck, its rates differ less than the server's CPU time
//! does, which is reported beside them.

use std::process::Command;
use std::time::{Duration, Instant};

use rl_tests::RedisServer;

use crate::call::Call;
use crate::cpu::cpu_time;
use crate::load::PIPELINE;
use crate::sample::Sample;

/// The placeholder that `redis-benchmark` replaces by a random number.
const RANDOM: &str = "user:__rand_int__";

/// Runs a call with random keys for about this long; the checks a second, and the server's CPU time
/// per check.
pub(crate) fn run(server: &RedisServer, call: &Call, keys: u32, time: Duration) -> Sample {
    // A short run before tells how many calls take that long.
    let (_, elapsed) = run_calls(server, call, keys, 50_000);
    let count = (50_000.0 * time.as_secs_f64() / elapsed.as_secs_f64()) as usize;
    let cpu = cpu_time(&[server.pid()]);
    let (rate, _) = run_calls(server, call, keys, count);
    let cpu = cpu_time(&[server.pid()]).saturating_sub(cpu);
    let checks_per_call = f64::from(call.checks());
    let checks = count as f64 * checks_per_call;
    Sample::rate(rate * checks_per_call, Duration::from_secs(1)).with_cpu(cpu, checks)
}

/// The rate that `redis-benchmark` prints, and the duration of its run.
fn run_calls(server: &RedisServer, call: &Call, keys: u32, count: usize) -> (f64, Duration) {
    let (port, keys, count) = (server.port().to_string(), keys.to_string(), count.to_string());
    let pipeline = PIPELINE.to_string();
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &port, "-c", "50", "-P", &pipeline, "-r", &keys, "-n", &count, "--csv"]);
    command.args(call.words(RANDOM));
    let start = Instant::now();
    let output = command.output().expect("redis-benchmark");
    let text = String::from_utf8_lossy(&output.stdout);
    (rate(&text).unwrap_or_else(|| panic!("redis-benchmark printed:\n{text}")), start.elapsed())
}

/// The rate in the output: the second field of the last line.
fn rate(csv: &str) -> Option<f64> {
    let line = csv.lines().last()?;
    // The first field, the command, is quoted and may hold commas.
    let rest = line.strip_prefix('"')?.split_once("\",\"")?.1;
    rest.split('"').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn the_rate_is_read_from_the_csv() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"INCR a, b\",\"512.50\",\"0.1\"\n";
        assert_eq!(rate(csv), Some(512.5));
        assert_eq!(rate("Could not connect"), None);
    }
}
