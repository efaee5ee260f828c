//! Unix sockets, compared with TCP over loopback: towards Redis, and from callers.

use std::process::Command;
use std::time::Duration;

use rl_tests::{ChildProcess, Front, RedisServer, Setup, eventually, server_path};
use serde_json::Value;
use tempfile::TempDir;

use super::commands::{CAPACITY, RATE};
use crate::bench::Bench;
use crate::call::READ_TIMEOUT;
use crate::cpu::cpu_time;
use crate::sample::Sample;
use crate::wrk::Wrk;

const KEYS: u32 = 100_000;
const SOCKET: &str = "redis.sock";

/// Compares fronts of one worker that reach their Redis over a Unix socket and over TCP, under wrk.
/// The CPU time is that of front and Redis together.
pub(crate) fn towards_redis(bench: &mut Bench, row: &str) {
    let seconds = bench.plan.wrk_seconds;
    let redis = || Setup::with_module().option(&["unixsocket", SOCKET]).start();
    let (over_tcp, over_unix) = (redis(), redis());
    let path = over_unix.folder().join(SOCKET);
    let stores = [over_tcp.url(), format!("redis+unix://{}", path.display())];
    let fronts = stores.map(|store| {
        let limit = ["--capacity", CAPACITY, "--rate", RATE, "--workers", "1"];
        Front::start(&[&["--store", &store, "--deadline-ms", "5000"], &limit[..]].concat())
    });
    let [mut reference, mut subject] =
        [(&fronts[0], &over_tcp), (&fronts[1], &over_unix)].map(|(front, redis)| {
            move || {
                let sample =
                    Wrk::check(KEYS).run(front.address(), seconds, &[front.pid(), redis.pid()]);
                assert_decided(front, redis);
                sample
            }
        });
    bench.compare(row, &mut reference, &mut subject);
}

#[track_caller]
fn assert_decided(front: &Front, redis: &RedisServer) {
    assert!(redis.run::<u64>("DBSIZE") > 0, "buckets are in Redis");
    let metrics = front.text("/metrics");
    let degraded = metrics.lines().filter(|line| line.starts_with("rl_degraded_total"));
    assert!(degraded.into_iter().all(|line| line.ends_with(" 0")), "{metrics}");
}

/// Compares fronts of one worker, over memory, whose callers come over a Unix socket and over TCP,
/// under `rl-server bench`. The CPU time is that of the front.
pub(crate) fn from_callers(bench: &mut Bench, row: &str) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = format!("unix:{}", folder.path().join("rl.sock").display());
    let tcp = start("127.0.0.1:0");
    let log = tcp.output();
    let url = log.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL");
    let unix = start(&path);
    let time = bench.plan.measure_time;
    let [mut reference, mut subject] = [(&tcp, url), (&unix, path.as_str())]
        .map(|(front, server)| move || measure(front.pid(), server, time));
    bench.compare(row, &mut reference, &mut subject);
}

fn start(listen: &str) -> ChildProcess {
    let limit = ["--capacity", CAPACITY, "--rate", RATE, "--workers", "1"];
    let front = ChildProcess::start(&[&["--listen", listen], &limit[..]].concat());
    eventually("the front listens", READ_TIMEOUT, || front.output().contains("rl-server on "));
    front
}

/// The checks a second of one run, and the CPU time per check of the process `front`.
fn measure(front: u32, server: &str, time: Duration) -> Sample {
    let duration = format!("{}ms", time.as_millis());
    let mut command = Command::new(server_path());
    command.args(["bench", "--json", "--duration", &duration, "--server", server]);
    let cpu = cpu_time(&[front]);
    let output = command.output().expect("rl-server bench");
    let cpu = cpu_time(&[front]).saturating_sub(cpu);
    assert!(output.status.success(), "{output:?}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("a result");
    let number = |field: &str| result[field].as_f64().expect("a number");
    let (checks, seconds) = (number("allowed"), number("seconds"));
    Sample::rate(checks, Duration::from_secs_f64(seconds)).with_cpu(cpu, checks)
}
