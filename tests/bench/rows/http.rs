//! The front: wrk on 64 connections, against a bare actix handler or against Redis.

use std::env;
use std::process::Command;

use rl_tests::{Front, RedisServer, Setup, eventually, server_path};

use super::stores::{self, CAPACITY, RATE};
use crate::bench::{Bench, Plan};
use crate::call::{Call, KEY, PATIENCE};
use crate::load::Load;
use crate::sample::Sample;
use crate::wrk::Wrk;

/// Where the front keeps buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
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
/// In the deny flood. A front remembers more than these.
const DENIED: u32 = 1000;

// === impl Over ===

impl Over {
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
    /// A front with so many workers and this limit.
    pub(crate) fn start(over: Over, workers: u32, capacity: &str, rate: &str) -> Self {
        Self::start_under(&[], over, workers, capacity, rate)
    }

    /// The same, with the front run by another program.
    pub(crate) fn start_under(
        under: &[&str],
        over: Over,
        workers: u32,
        capacity: &str,
        rate: &str,
    ) -> Self {
        let redis = match over {
            Over::Memory => None,
            Over::Module => Some(Setup::with_module().start()),
            Over::Lua => Some(Setup::plain().start()),
        };
        let store = redis.as_ref().map_or_else(|| "memory".to_owned(), RedisServer::url);
        let workers = workers.to_string();
        let server = server_path();
        let server = server.to_str().expect("a path in UTF-8");
        let mut words = under.iter().copied().chain([server, "--listen", "127.0.0.1:0"]);
        let mut command = Command::new(words.next().unwrap_or(server));
        command.args(words).env_remove("PORT");
        command.args(["--store", &store, "--workers", &workers]);
        command.args(["--capacity", capacity, "--rate", rate]);
        // Longer than a busy machine makes anybody wait: an answer without Redis would be another row.
        command.args(["--deadline-ms", "5000"]);
        let front = Front::launch(command);
        eventually("the front is ready", PATIENCE, || front.get("/health/ready").status == 200);
        Self { front, redis }
    }

    /// One with the usual limit and buckets that are in use.
    pub(crate) fn in_use(over: Over, workers: u32) -> Self {
        let stack = Self::start(over, workers, CAPACITY, RATE);
        stack.touch(KEYS, 500_000);
        stack
    }

    /// Takes this from so many keys.
    pub(crate) fn touch(&self, keys: u32, cost: u32) {
        let checks = vec![format!(r#"{{"key":"{}","cost":{cost}}}"#, KEY); 100];
        let body = format!(r#"{{"checks":[{}]}}"#, checks.join(","));
        let call = Call::http("POST", "/check/batch", &body);
        Load { connections: 8, pipeline: 1, ..Load::new(self.port(), &call, keys) }.run_each_key();
    }

    pub(crate) fn port(&self) -> u16 {
        port(&self.front)
    }

    /// A measurement with wrk, which must be answered by Redis if there is one.
    pub(crate) fn measured(&self, plan: Plan, wrk: Wrk) -> impl FnMut() -> Sample {
        let seconds = plan.seconds;
        move || {
            let sample = wrk.run(self.front.address(), seconds, &[self.front.pid()]);
            let metrics = self.front.text("/metrics");
            let degraded = metrics.lines().filter(|line| line.starts_with("rl_degraded_total"));
            let degraded = degraded.filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>();
            assert!(degraded.is_empty(), "answers without Redis: {degraded:?}");
            sample
        }
    }
}

/// The bare handler, in a process of its own.
pub(crate) fn bare() -> Front {
    bare_under(&[])
}

/// The same, run by another program.
pub(crate) fn bare_under(under: &[&str]) -> Front {
    let program = env::current_exe().expect("the path of this program");
    let program = program.to_str().expect("a path in UTF-8");
    let mut words = under.iter().copied().chain([program, "bare"]);
    let mut command = Command::new(words.next().unwrap_or(program));
    command.args(words);
    Front::launch(command)
}

/// The port it listens on.
pub(crate) fn port(front: &Front) -> u16 {
    let port = front.address().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    port.expect("an address with a port")
}

/// `POST /check`, one worker, against the bare handler.
pub(crate) fn against_bare(bench: &mut Bench, row: &str, over: Over) {
    let (bare, stack) = (bare(), Stack::in_use(over, 1));
    assert_eq!(stack.front.check(r#"{"key":"user:000000000000"}"#)["allowed"], true);
    let mut reference = bare_measured(bench.plan, &bare);
    let mut subject = stack.measured(bench.plan, Wrk::check(KEYS));
    bench.compare(row, &mut reference, &mut subject);
}

fn bare_measured(plan: Plan, bare: &Front) -> impl FnMut() -> Sample {
    let seconds = plan.seconds;
    let json = [("content-type", "application/json")];
    let answer = bare.request("POST", "/check", &json, r#"{"key":"a"}"#);
    assert_eq!(answer.body["remaining"], 499_999);
    move || Wrk::check(KEYS).run(bare.address(), seconds, &[bare.pid()])
}

/// `POST /check/batch` of 1,000, two workers, against `INCR`.
pub(crate) fn batch(bench: &mut Bench, row: &str, over: Over) {
    let (plain, stack) = (Setup::plain().start(), Stack::in_use(over, 2));
    let incr = stores::incr();
    Load::new(plain.port(), &incr, KEYS).run_each_key();
    let answer = stack.front.post("/check/batch", r#"{"checks":[{"key":"user:000000000000"}]}"#);
    assert_eq!(answer.body["results"][0]["allowed"], true);
    let (warm, measured) = (bench.plan.warm, bench.plan.measured);
    let mut reference =
        || Load::new(plain.port(), &incr, KEYS).run_for(warm, measured, plain.pid());
    let mut subject = stack.measured(bench.plan, Wrk::batch(1000, KEYS));
    bench.compare(row, &mut reference, &mut subject);
}

/// `POST /check` of a thousand keys that are exhausted, over Redis: the front answers from memory, and asks
/// Redis about each at most once a second.
pub(crate) fn deny(bench: &mut Bench, row: &str) {
    let (bare, stack) = (bare(), Stack::start(Over::Module, 1, "1", "1/d"));
    stack.touch(DENIED, 1);
    assert_eq!(stack.front.check(r#"{"key":"user:000000000000"}"#)["allowed"], false);
    let redis = stack.redis.as_ref().expect("a Redis");
    let mut reference = bare_measured(bench.plan, &bare);
    let mut measured = stack.measured(bench.plan, Wrk::check(DENIED));
    let (mut questions, mut seconds) = (0.0, 0.0);
    let mut subject = || {
        let before = asked(redis);
        let sample = measured();
        // At most one a second: there is room for four questions in three seconds.
        questions += (asked(redis) - before) as f64 / f64::from(DENIED);
        seconds += sample.seconds + 1.0;
        sample
    };
    bench.compare(row, &mut reference, &mut subject);
    let questions = questions / seconds;
    bench.note(row, "questions", Sample::of(questions, "questions/s/key"));
}

/// Calls of `RL.*` so far.
fn asked(redis: &RedisServer) -> u64 {
    let stats: String = redis.run("INFO commandstats");
    let calls = stats.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("cmdstat_rl.")?.split_once(":calls=")?;
        rest.split_once(',')?.0.parse::<u64>().ok()
    });
    calls.sum()
}

/// All checks on one key, against many, on two workers.
pub(crate) fn hot(bench: &mut Bench, row: &str, over: Over) {
    let (many, one) =
        (Stack::start(over, 2, "1000000000", RATE), Stack::start(over, 2, "1000000000", RATE));
    many.touch(KEYS, 500_000);
    one.touch(1, 500_000);
    let mut reference = many.measured(bench.plan, Wrk::check(KEYS));
    let mut subject = one.measured(bench.plan, Wrk::check(1));
    bench.compare(row, &mut reference, &mut subject);
}

/// `GET /check` against `POST /check`, on one front.
pub(crate) fn get(bench: &mut Bench, row: &str) {
    let stack = Stack::in_use(Over::Memory, 1);
    assert_eq!(stack.front.get("/check?key=user:000000000000").status, 200);
    let mut reference = stack.measured(bench.plan, Wrk::check(KEYS));
    let mut subject = stack.measured(bench.plan, Wrk::get("/check?key=KEY", KEYS));
    bench.compare(row, &mut reference, &mut subject);
}
