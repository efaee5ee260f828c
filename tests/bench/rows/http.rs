//! The front under wrk on 64 connections, compared with a bare actix handler or with Redis.

use std::env;
use std::process::Command;

use rl_tests::{Front, RedisServer, Setup, eventually, server_path};

use super::commands::{self, CAPACITY, RATE};
use crate::bench::{Bench, Plan};
use crate::call::{Call, KEY, READ_TIMEOUT};
use crate::load::Load;
use crate::sample::Sample;
use crate::wrk::Wrk;

/// The engine that computes the front's buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Memory,
    Module,
    Lua,
}

/// A front and the Redis behind it, if there is one.
pub(crate) struct Stack {
    pub(crate) front: Front,
    pub(crate) redis: Option<RedisServer>,
}

const KEYS: u32 = 100_000;
/// The keys of the row `http-deny`. They fit into a front's denial cache.
const DENIED: u32 = 1000;

// === impl Engine ===

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Module => "Redis, module",
            Self::Lua => "Redis, Lua",
        }
    }
}

// === impl Stack ===

impl Stack {
    /// Starts a front with this many workers and this limit.
    pub(crate) fn start(engine: Engine, workers: u32, capacity: &str, rate: &str) -> Self {
        Self::start_with_wrapper(&[], engine, workers, capacity, rate)
    }

    /// Like [`start`](Self::start), with the front run under another program.
    pub(crate) fn start_with_wrapper(
        wrapper: &[&str],
        engine: Engine,
        workers: u32,
        capacity: &str,
        rate: &str,
    ) -> Self {
        let redis = match engine {
            Engine::Memory => None,
            Engine::Module => Some(Setup::with_module().start()),
            Engine::Lua => Some(Setup::plain().start()),
        };
        let store = redis.as_ref().map_or_else(|| "memory".to_owned(), RedisServer::url);
        let workers = workers.to_string();
        let server = server_path();
        let server = server.to_str().expect("a path in UTF-8");
        let mut words = wrapper.iter().copied().chain([server, "--listen", "127.0.0.1:0"]);
        let mut command = Command::new(words.next().unwrap_or(server));
        command.args(words).env_remove("PORT");
        command.args(["--store", &store, "--workers", &workers]);
        command.args(["--capacity", capacity, "--rate", rate]);
        // Longer than any delay on a busy machine: a decision without Redis would not belong in the
        // row.
        command.args(["--deadline-ms", "5000"]);
        let front = Front::launch(command);
        eventually("the front is ready", READ_TIMEOUT, || front.get("/health/ready").status == 200);
        Self { front, redis }
    }

    /// Starts a front with the usual limit, and half empties its buckets.
    pub(crate) fn with_buckets_in_use(engine: Engine, workers: u32) -> Self {
        let stack = Self::start(engine, workers, CAPACITY, RATE);
        stack.take_from_all(KEYS, 500_000);
        stack
    }

    /// Takes `cost` tokens from each of `keys` buckets.
    pub(crate) fn take_from_all(&self, keys: u32, cost: u32) {
        let checks = vec![format!(r#"{{"key":"{}","cost":{cost}}}"#, KEY); 100];
        let body = format!(r#"{{"checks":[{}]}}"#, checks.join(","));
        let call = Call::http("POST", "/check/batch", &body);
        Load { connections: 8, pipeline: 1, ..Load::new(self.port(), &call, keys) }.run_each_key();
    }

    pub(crate) fn port(&self) -> u16 {
        port(&self.front)
    }

    /// A measurement with wrk. Panics on degraded decisions: if there is a Redis, it must decide.
    pub(crate) fn measurement(&self, plan: Plan, wrk: Wrk) -> impl FnMut() -> Sample {
        let seconds = plan.wrk_seconds;
        move || {
            let sample = wrk.run(self.front.address(), seconds, &[self.front.pid()]);
            let metrics = self.front.text("/metrics");
            let degraded = metrics.lines().filter(|line| line.starts_with("rl_degraded_total"));
            let degraded = degraded.filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>();
            assert!(degraded.is_empty(), "degraded decisions: {degraded:?}");
            sample
        }
    }
}

/// Starts the bare handler in its own process.
pub(crate) fn bare() -> Front {
    bare_with_wrapper(&[])
}

/// Starts the bare handler under another program.
pub(crate) fn bare_with_wrapper(wrapper: &[&str]) -> Front {
    let program = env::current_exe().expect("the path of this program");
    let program = program.to_str().expect("a path in UTF-8");
    let mut words = wrapper.iter().copied().chain([program, "bare"]);
    let mut command = Command::new(words.next().unwrap_or(program));
    command.args(words);
    Front::launch(command)
}

/// The port that a front listens on.
pub(crate) fn port(front: &Front) -> u16 {
    let port = front.address().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.expect("an address with a port")
}

/// Compares `POST /check` with the bare handler, on one worker.
pub(crate) fn against_bare(bench: &mut Bench, row: &str, engine: Engine) {
    let (bare, stack) = (bare(), Stack::with_buckets_in_use(engine, 1));
    assert_eq!(stack.front.check(r#"{"key":"user:000000000000"}"#)["allowed"], true);
    let mut reference = bare_measurement(bench.plan, &bare);
    let mut subject = stack.measurement(bench.plan, Wrk::check(KEYS));
    bench.compare(row, &mut reference, &mut subject);
}

fn bare_measurement(plan: Plan, bare: &Front) -> impl FnMut() -> Sample {
    let seconds = plan.wrk_seconds;
    let json = [("content-type", "application/json")];
    let response = bare.request("POST", "/check", &json, r#"{"key":"a"}"#);
    assert_eq!(response.body["remaining"], 499_999);
    move || Wrk::check(KEYS).run(bare.address(), seconds, &[bare.pid()])
}

/// Compares `POST /check/batch` of 1,000, on two workers, with `INCR`.
pub(crate) fn batch(bench: &mut Bench, row: &str, engine: Engine) {
    let (plain, stack) = (Setup::plain().start(), Stack::with_buckets_in_use(engine, 2));
    let incr = commands::incr();
    Load::new(plain.port(), &incr, KEYS).run_each_key();
    let response = stack.front.post("/check/batch", r#"{"checks":[{"key":"user:000000000000"}]}"#);
    assert_eq!(response.body["results"][0]["allowed"], true);
    let (warm_up_time, measure_time) = (bench.plan.warm_up_time, bench.plan.measure_time);
    let mut reference =
        || Load::new(plain.port(), &incr, KEYS).run_for(warm_up_time, measure_time, plain.pid());
    let mut subject = stack.measurement(bench.plan, Wrk::batch(1000, KEYS));
    bench.compare(row, &mut reference, &mut subject);
}

/// Compares `POST /check` of a thousand exhausted keys, over Redis, with the bare handler. The
/// front answers from its denial cache, and asks Redis about each key at most once a second.
pub(crate) fn deny(bench: &mut Bench, row: &str) {
    let (bare, stack) = (bare(), Stack::start(Engine::Module, 1, "1", "1/d"));
    stack.take_from_all(DENIED, 1);
    assert_eq!(stack.front.check(r#"{"key":"user:000000000000"}"#)["allowed"], false);
    let redis = stack.redis.as_ref().expect("a Redis");
    let mut reference = bare_measurement(bench.plan, &bare);
    let mut measurement = stack.measurement(bench.plan, Wrk::check(DENIED));
    let (mut calls_per_key, mut seconds) = (0.0, 0.0);
    let mut subject = || {
        let calls_before = module_calls(redis);
        let sample = measurement();
        // At one a second, three seconds can contain four calls, hence the added second.
        calls_per_key += (module_calls(redis) - calls_before) as f64 / f64::from(DENIED);
        seconds += sample.seconds + 1.0;
        sample
    };
    bench.compare(row, &mut reference, &mut subject);
    bench.note(row, "questions", Sample::of(calls_per_key / seconds, "questions/s/key"));
}

/// The number of `RL.*` calls so far.
fn module_calls(redis: &RedisServer) -> u64 {
    let stats: String = redis.run("INFO commandstats");
    let calls = stats.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("cmdstat_rl.")?.split_once(":calls=")?;
        rest.split_once(',')?.0.parse::<u64>().ok()
    });
    calls.sum()
}

/// Compares checks of one hot key with checks of many keys, on two workers.
pub(crate) fn hot(bench: &mut Bench, row: &str, engine: Engine) {
    let (many, one) =
        (Stack::start(engine, 2, "1000000000", RATE), Stack::start(engine, 2, "1000000000", RATE));
    many.take_from_all(KEYS, 500_000);
    one.take_from_all(1, 500_000);
    let mut reference = many.measurement(bench.plan, Wrk::check(KEYS));
    let mut subject = one.measurement(bench.plan, Wrk::check(1));
    bench.compare(row, &mut reference, &mut subject);
}

/// Compares `GET /check` with `POST /check`, on one front.
pub(crate) fn get(bench: &mut Bench, row: &str) {
    let stack = Stack::with_buckets_in_use(Engine::Memory, 1);
    assert_eq!(stack.front.get("/check?key=user:000000000000").status, 200);
    let mut reference = stack.measurement(bench.plan, Wrk::check(KEYS));
    let mut subject = stack.measurement(bench.plan, Wrk::get("/check?key=KEY", KEYS));
    bench.compare(row, &mut reference, &mut subject);
}
