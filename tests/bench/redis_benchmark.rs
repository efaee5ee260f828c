//! Redis's own load generator, `redis-benchmark`, as anybody would run it by hand.
//!
//! It reads every reply into a tree of its own, which for an array of five takes it longer than for one
//! integer: where it and not the server is busy, its figures lie closer together than the server's CPU time,
//! which stands beside them.

use std::process::Command;
use std::time::{Duration, Instant};

use rl_tests::RedisServer;

use crate::call::Call;
use crate::cpu::cpu_time;
use crate::load::PIPELINE;
use crate::sample::Sample;

/// What it puts a random number for.
const RANDOM: &str = "user:__rand_int__";

/// Calls a second and the server's CPU time, of so many calls over so many random keys.
pub(crate) fn run(server: &RedisServer, call: &Call, keys: u32, time: Duration) -> Sample {
    // As many calls as take about that long, by a short run before.
    let (_, pace) = batch(server, call, keys, 50_000);
    let count = (50_000.0 * time.as_secs_f64() / pace.as_secs_f64()) as usize;
    let cpu = cpu_time(&[server.pid()]);
    let (rate, _) = batch(server, call, keys, count);
    let cpu = cpu_time(&[server.pid()]).saturating_sub(cpu);
    let (checks, each) = (count as f64 * f64::from(call.checks()), f64::from(call.checks()));
    Sample::rate(rate * each, Duration::from_secs(1)).with_cpu(cpu, checks)
}

/// The rate that it prints, and how long it all took.
fn batch(server: &RedisServer, call: &Call, keys: u32, count: usize) -> (f64, Duration) {
    let (port, keys, count) = (server.port().to_string(), keys.to_string(), count.to_string());
    let pipeline = PIPELINE.to_string();
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &port, "-c", "50", "-P", &pipeline, "-r", &keys, "-n", &count, "--csv"]);
    command.args(call.words(RANDOM));
    let began = Instant::now();
    let output = command.output().expect("redis-benchmark");
    let text = String::from_utf8_lossy(&output.stdout);
    (rate(&text).unwrap_or_else(|| panic!("redis-benchmark said:\n{text}")), began.elapsed())
}

/// The second field of the last line.
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
    fn the_rate_is_read_out_of_its_table() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\"\n\"INCR a, b\",\"512.50\",\"0.1\"\n";
        assert_eq!(rate(csv), Some(512.5));
        assert_eq!(rate("Could not connect"), None);
    }
}
