//! Instructions in user space: of a command in Redis, of a request in the front, of a step of the bucket.

use std::env;
use std::thread;

use rl_tests::{Front, RedisServer, Setup};

use super::http::{self, Over, Stack};
use super::stores::{self, BATCH, CAPACITY, RATE, load_buckets};
use crate::bench::Bench;
use crate::call::{Call, KEY};
use crate::callgrind::{Callgrind, count_run};
use crate::load::{Load, PIPELINE};
use crate::sample::Sample;

const KEYS: u32 = 1000;
const UNIT: &str = "instructions";

/// What was counted, by name.
type Counts = Vec<(String, Sample)>;

/// All of them: Redis on one core and fronts on the other, since counts do not depend on the time they take.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let fronts = || {
        let stores = [Over::Memory, Over::Module].map(requests);
        [&stores[..], &[denials(), bare(), step()]].concat().concat()
    };
    let (redis, fronts) = thread::scope(|scope| {
        let fronts = scope.spawn(fronts);
        ([commands(), scripts()].concat(), fronts.join().expect("counts"))
    });
    for (name, sample) in redis.into_iter().chain(fronts) {
        bench.note(row, &name, sample);
    }
}

/// A Redis server in callgrind, asked on one connection with 16 calls in flight.
struct Counted {
    server: RedisServer,
    callgrind: Callgrind,
}

// === impl Counted ===

impl Counted {
    fn start(setup: Setup) -> Self {
        let callgrind = Callgrind::new();
        let words = callgrind.words();
        // Its own chores once a second: they are not what is counted.
        let server =
            setup.option(&["hz", "1"]).with_wrapper(&words.each_ref().map(String::as_str)).start();
        Self { server, callgrind }
    }

    fn load<'a>(&self, call: &'a Call) -> Load<'a> {
        Load { connections: 1, ..Load::new(self.server.port(), call, KEYS) }
    }

    /// Instructions for each check of `calls` calls.
    fn count(&mut self, call: &Call, calls: usize) -> Sample {
        let calls = calls.next_multiple_of(PIPELINE);
        let load = self.load(call);
        load.run_calls(PIPELINE);
        let count = self.callgrind.count(self.server.pid(), || load.run_calls(calls));
        Sample::of(count as f64 / calls as f64 / f64::from(call.checks()), UNIT)
    }
}

fn commands() -> Counts {
    const CALLS: usize = 4000;
    let mut counted = Counted::start(Setup::with_module());
    let mut counts = Counts::new();
    let mut note = |name: &str, sample| counts.push((name.to_owned(), sample));
    note("PING", counted.count(&Call::redis("PING", 1), CALLS));
    counted.load(&stores::set_ex()).run_each_key();
    note("SET EX", counted.count(&stores::set_ex(), CALLS));
    note("GET", counted.count(&stores::get(), CALLS));
    counted.server.run::<()>("FLUSHALL");
    counted.load(&stores::incr()).run_each_key();
    note("INCR", counted.count(&stores::incr(), CALLS));
    counted.server.run::<()>("FLUSHALL");
    load_buckets(&counted.server, KEYS);
    note("RL.CHECK", counted.count(&stores::check(), CALLS));
    note("RL.PEEK", counted.count(&stores::peek(), CALLS));
    note("RL.MCHECK of 16, a check", counted.count(&stores::mcheck(), CALLS / BATCH));
    counted.server.run::<()>("FLUSHALL");
    let drained = Call::redis(&format!("RL.CHECK {KEY} 1 1/d"), 6);
    counted.load(&drained).run_each_key();
    drained.must_answer(counted.server.port(), "*5\r\n:0\r\n");
    note("RL.CHECK, denied", counted.count(&drained, CALLS));
    counts
}

fn scripts() -> Counts {
    const CALLS: usize = 800;
    let mut counted = Counted::start(Setup::plain());
    let plain = stores::plain_lua(&counted.server);
    counted.load(&plain).run_each_key();
    let plain = counted.count(&plain, CALLS);
    counted.server.run::<()>("FLUSHALL");
    load_buckets(&counted.server, KEYS);
    let check = stores::lua_check(&counted.server);
    let mcheck = stores::lua_mcheck(&counted.server);
    vec![
        ("plain Lua bucket".to_owned(), plain),
        ("Lua check".to_owned(), counted.count(&check, CALLS)),
        ("Lua mcheck of 16, a check".to_owned(), counted.count(&mcheck, CALLS / BATCH)),
    ]
}

/// Instructions of an HTTP server for each check of `calls` requests, 16 at a time.
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

fn front(over: Over, capacity: &str, rate: &str) -> (Callgrind, Stack) {
    let callgrind = Callgrind::new();
    let words = callgrind.words();
    let words = words.each_ref().map(String::as_str);
    let stack = Stack::start_under(&words, over, 1, capacity, rate);
    (callgrind, stack)
}

fn requests(over: Over) -> Counts {
    let (mut callgrind, stack) = front(over, CAPACITY, RATE);
    stack.touch(KEYS, 500_000);
    let server = (&stack.front, stack.port());
    let mut counts = Counts::new();
    let mut note = |what: &str, call: &Call, calls| {
        let sample = count_http(&mut callgrind, server, call, calls);
        counts.push((format!("{what}, {}", over.name()), sample));
    };
    note("POST /check", &post_check(), 1600);
    if over == Over::Memory {
        note("GET /check", &Call::http("GET", &format!("/check?key={KEY}"), ""), 1600);
    }
    let check = format!(r#"{{"key":"{KEY}"}}"#);
    let body = format!(r#"{{"checks":[{}]}}"#, vec![check; 1000].join(","));
    let batch = Call::http("POST", "/check/batch", &body).of_checks(1000);
    note("POST /check/batch of 1000, a check", &batch, 16);
    counts
}

/// Denials that the front remembers.
fn denials() -> Counts {
    let (mut callgrind, stack) = front(Over::Module, "1", "1/d");
    stack.touch(100, 1);
    let call = post_check();
    call.must_answer(stack.port(), r#""allowed":false"#);
    let load = Load { connections: 16, pipeline: 1, ..Load::new(stack.port(), &call, 16) };
    load.run_calls(64);
    let calls = 1600;
    let count = callgrind.count(stack.front.pid(), || load.run_calls(calls));
    vec![("POST /check, a known denial".to_owned(), Sample::of(count as f64 / calls as f64, UNIT))]
}

fn bare() -> Counts {
    let mut callgrind = Callgrind::new();
    let words = callgrind.words();
    let bare = http::bare_under(&words.each_ref().map(String::as_str));
    let sample = count_http(&mut callgrind, (&bare, http::port(&bare)), &post_check(), 1600);
    vec![("POST /check, bare handler".to_owned(), sample)]
}

/// The step alone, in this program, in a loop.
fn step() -> Counts {
    let program = env::current_exe().expect("the path of this program");
    let program = program.to_str().expect("a path in UTF-8");
    let count = |steps: u64| count_run(&[program, "steps", &steps.to_string()]);
    let (some, more) = (count(100_000), count(200_000));
    vec![("one step of a bucket".to_owned(), Sample::of((more - some) as f64 / 1e5, UNIT))]
}
