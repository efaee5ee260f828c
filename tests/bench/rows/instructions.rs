//! Instructions in user space: of a Redis command, of a request to the front, of a bucket step.

use std::env;
use std::thread;

use rl_tests::{Front, RedisServer, Setup};

use super::commands::{self, BATCH, CAPACITY, RATE, load_buckets};
use super::http::{self, Engine, Stack};
use crate::bench::Bench;
use crate::call::{Call, KEY};
use crate::callgrind::{Callgrind, count_run};
use crate::load::{Load, PIPELINE};
use crate::sample::Sample;

const KEYS: u32 = 1000;
const UNIT: &str = "instructions";

/// Instruction counts, by name.
type Counts = Vec<(String, Sample)>;

/// Counts everything. Redis and the fronts run in parallel, since counts do not depend on time.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let fronts = || {
        let stores = [Engine::Memory, Engine::Module].map(requests);
        [&stores[..], &[denials(), bare(), step()]].concat().concat()
    };
    let (redis, fronts) = thread::scope(|scope| {
        let fronts = scope.spawn(fronts);
        ([redis_commands(), redis_scripts()].concat(), fronts.join().expect("counts"))
    });
    for (name, sample) in redis.into_iter().chain(fronts) {
        bench.note(row, &name, sample);
    }
}

/// A Redis server under callgrind, loaded on one connection with 16 calls in flight.
struct InstrumentedRedis {
    server: RedisServer,
    callgrind: Callgrind,
}

// === impl InstrumentedRedis ===

impl InstrumentedRedis {
    fn start(setup: Setup) -> Self {
        let callgrind = Callgrind::new();
        let words = callgrind.command_prefix();
        // Periodic tasks should not be counted, so they run only once a second.
        let server =
            setup.option(&["hz", "1"]).with_wrapper(&words.each_ref().map(String::as_str)).start();
        Self { server, callgrind }
    }

    fn load<'a>(&self, call: &'a Call) -> Load<'a> {
        Load { connections: 1, ..Load::new(self.server.port(), call, KEYS) }
    }

    /// The instructions per check, over `calls` calls.
    fn count(&mut self, call: &Call, calls: usize) -> Sample {
        let calls = calls.next_multiple_of(PIPELINE);
        let load = self.load(call);
        load.run_calls(PIPELINE);
        let count = self.callgrind.count(self.server.pid(), || load.run_calls(calls));
        Sample::of(count as f64 / calls as f64 / f64::from(call.checks()), UNIT)
    }
}

fn redis_commands() -> Counts {
    const CALLS: usize = 4000;
    let mut redis = InstrumentedRedis::start(Setup::with_module());
    let mut counts = Counts::new();
    let mut note = |name: &str, sample| counts.push((name.to_owned(), sample));
    note("PING", redis.count(&Call::redis("PING", 1), CALLS));
    redis.load(&commands::set_ex()).run_each_key();
    note("SET EX", redis.count(&commands::set_ex(), CALLS));
    note("GET", redis.count(&commands::get(), CALLS));
    redis.server.run::<()>("FLUSHALL");
    redis.load(&commands::incr()).run_each_key();
    note("INCR", redis.count(&commands::incr(), CALLS));
    redis.server.run::<()>("FLUSHALL");
    load_buckets(&redis.server, KEYS);
    note("RL.CHECK", redis.count(&commands::check(), CALLS));
    note("RL.PEEK", redis.count(&commands::peek(), CALLS));
    note("RL.MCHECK of 16, a check", redis.count(&commands::mcheck(), CALLS / BATCH));
    redis.server.run::<()>("FLUSHALL");
    let drained = Call::redis(&format!("RL.CHECK {KEY} 1 1/d"), 6);
    redis.load(&drained).run_each_key();
    drained.assert_reply(redis.server.port(), "*5\r\n:0\r\n");
    note("RL.CHECK, denied", redis.count(&drained, CALLS));
    counts
}

fn redis_scripts() -> Counts {
    const CALLS: usize = 800;
    let mut redis = InstrumentedRedis::start(Setup::plain());
    let plain = commands::plain_lua(&redis.server);
    redis.load(&plain).run_each_key();
    let plain = redis.count(&plain, CALLS);
    redis.server.run::<()>("FLUSHALL");
    load_buckets(&redis.server, KEYS);
    let check = commands::lua_check(&redis.server);
    let mcheck = commands::lua_mcheck(&redis.server);
    vec![
        ("plain Lua bucket".to_owned(), plain),
        ("Lua check".to_owned(), redis.count(&check, CALLS)),
        ("Lua mcheck of 16, a check".to_owned(), redis.count(&mcheck, CALLS / BATCH)),
    ]
}

/// The instructions of an HTTP server per check, over `calls` requests, 16 at a time.
fn count_http(
    callgrind: &mut Callgrind,
    server: (&Front, u16),
    call: &Call,
    calls: usize,
) -> Sample {
    let (front, port) = server;
    let load = Load { connections: 16, pipeline: 1, ..Load::new(port, call, KEYS) };
    load.run_calls(64);
    let count = callgrind.count(front.pid(), || load.run_calls(calls));
    Sample::of(count as f64 / calls as f64 / f64::from(call.checks()), UNIT)
}

fn post_check() -> Call {
    Call::http("POST", "/check", &format!(r#"{{"key":"{KEY}"}}"#))
}

fn front(engine: Engine, capacity: &str, rate: &str) -> (Callgrind, Stack) {
    let callgrind = Callgrind::new();
    let words = callgrind.command_prefix();
    let words = words.each_ref().map(String::as_str);
    let stack = Stack::start_with_wrapper(&words, engine, 1, capacity, rate);
    (callgrind, stack)
}

fn requests(engine: Engine) -> Counts {
    let (mut callgrind, stack) = front(engine, CAPACITY, RATE);
    stack.take_from_all(KEYS, 500_000);
    let server = (&stack.front, stack.port());
    let mut counts = Counts::new();
    let mut note = |what: &str, call: &Call, calls| {
        let sample = count_http(&mut callgrind, server, call, calls);
        counts.push((format!("{what}, {}", engine.name()), sample));
    };
    note("POST /check", &post_check(), 1600);
    if engine == Engine::Memory {
        note("GET /check", &Call::http("GET", &format!("/check?key={KEY}"), ""), 1600);
    }
    let check = format!(r#"{{"key":"{KEY}"}}"#);
    let body = format!(r#"{{"checks":[{}]}}"#, vec![check; 1000].join(","));
    let batch = Call::http("POST", "/check/batch", &body).of_checks(1000);
    note("POST /check/batch of 1000, a check", &batch, 16);
    counts
}

/// Denials from the front's denial cache.
fn denials() -> Counts {
    let (mut callgrind, stack) = front(Engine::Module, "1", "1/d");
    stack.take_from_all(100, 1);
    let call = post_check();
    call.assert_reply(stack.port(), r#""allowed":false"#);
    let load = Load { connections: 16, pipeline: 1, ..Load::new(stack.port(), &call, 16) };
    load.run_calls(64);
    let calls = 1600;
    let count = callgrind.count(stack.front.pid(), || load.run_calls(calls));
    vec![("POST /check, a known denial".to_owned(), Sample::of(count as f64 / calls as f64, UNIT))]
}

fn bare() -> Counts {
    let mut callgrind = Callgrind::new();
    let words = callgrind.command_prefix();
    let bare = http::bare_with_wrapper(&words.each_ref().map(String::as_str));
    let sample = count_http(&mut callgrind, (&bare, http::port(&bare)), &post_check(), 1600);
    vec![("POST /check, bare handler".to_owned(), sample)]
}

/// The bucket step on its own, in a loop in this program.
fn step() -> Counts {
    let program = env::current_exe().expect("the path of this program");
    let program = program.to_str().expect("a path in UTF-8");
    let count = |steps: u64| count_run(&[program, "steps", &steps.to_string()]);
    let (few, many) = (count(100_000), count(200_000));
    vec![("one step of a bucket".to_owned(), Sample::of((many - few) as f64 / 1e5, UNIT))]
}
