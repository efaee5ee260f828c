//! Other rate limiters, under the same load on the same machine: what each does alone, not a ratio.
//!
//! Servers have one worker each. nginx answers from its shared memory, throttlecrab and the memory front from
//! their own, the others from Redis. scripts/bench installs them.

use std::path::{Path, PathBuf};

use rl_tests::{Proxy, ProxyProgram, Setup};

use super::http::{Over, Stack, bare};
use super::stores::{ALLOWED, CAPACITY, RATE, check, incr, load_buckets};
use crate::bench::{Bench, Plan, Side};
use crate::call::{Call, KEY};
use crate::load::Load;
use crate::sample::Sample;
use crate::wrk::Wrk;

/// A Redis module and its command, in which `KEY` is the key.
#[derive(Clone, Debug)]
pub(crate) struct OtherModule {
    pub(crate) file: PathBuf,
    pub(crate) command: String,
}

const KEYS: u32 = 100_000;

/// All that speak HTTP.
pub(crate) fn http(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let (bare, nginx, crab) = (bare(), nginx(), throttlecrab("http"));
    let stacks = [Over::Memory, Over::Module, Over::Lua].map(|over| Stack::in_use(over, 1));
    let [mut memory, mut module, mut lua] =
        stacks.each_ref().map(|stack| stack.measured(plan, Wrk::check(KEYS)));
    let throttle = r#"{"key":"KEY","max_burst":1000000,"count_per_period":1000,"period":1}"#;
    let body = throttle.replace("KEY", KEY);
    Call::http("POST", "/throttle", &body).must_answer(crab.port(), r#""allowed":true"#);
    let throttle = Wrk::post("/throttle", throttle, KEYS);
    Call::http("GET", &format!("/?key={KEY}"), "").must_answer(nginx.port(), "GIF89a");
    let mut crab = || throttle.run(&address(&crab), plan.seconds, &[crab.pid()]);
    let mut nginx =
        || Wrk::get("/?key=KEY", KEYS).run(&address(&nginx), plan.seconds, &[nginx.pid()]);
    let mut bare = || Wrk::check(KEYS).run(bare.address(), plan.seconds, &[bare.pid()]);
    let sides: &mut [Side<'_>] = &mut [
        ("bare actix handler", &mut bare),
        ("nginx limit_req", &mut nginx),
        ("throttlecrab", &mut crab),
        ("RL, memory", &mut memory),
        ("RL, Redis module", &mut module),
        ("RL, Redis Lua", &mut lua),
    ];
    bench.interleave(row, sides);
}

/// All that speak Redis's protocol.
pub(crate) fn redis(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let other = bench.other.clone();
    let (plain, ours) = (Setup::plain().start(), Setup::with_module().start());
    let (incr, check) = (incr(), check());
    load_buckets(&ours, KEYS);
    check.must_answer(ours.port(), ALLOWED);
    let mut incr = measured(plan, plain.port(), plain.pid(), &incr);
    let mut ours = measured(plan, ours.port(), ours.pid(), &check);
    let crab_server = bench.peers.then(|| throttlecrab("redis"));
    let throttle = Call::redis(&format!("THROTTLE {KEY} {CAPACITY} {RATE} 1"), 6);
    let mut crab = crab_server.as_ref().map(|crab| {
        throttle.must_answer(crab.port(), "*5\r\n:1\r\n");
        measured(plan, crab.port(), crab.pid(), &throttle)
    });
    // It sends each answer by itself, which costs it a delayed acknowledgement a batch: so without batches too.
    let mut unbatched = crab_server.as_ref().map(|crab| {
        let load = Load { pipeline: 1, ..Load::new(crab.port(), &throttle, KEYS) };
        move || load.run_for(plan.warm, plan.measured, crab.pid())
    });
    let theirs = other.as_ref().map(|other| (Setup::with_other_module(&other.file).start(), other));
    let theirs = theirs.as_ref().map(|(server, other)| {
        let words = other.command.replace("KEY", KEY);
        (server, Call::redis(&words, Call::redis(&words, 1).lines_of_answer(server.port())))
    });
    let name = other.as_ref().map(|other| name(&other.file, &other.command));
    let mut theirs =
        theirs.as_ref().map(|(server, call)| measured(plan, server.port(), server.pid(), call));
    let mut sides: Vec<Side<'_>> = vec![("INCR", &mut incr), ("RL.CHECK", &mut ours)];
    if let (Some(crab), Some(unbatched)) = (&mut crab, &mut unbatched) {
        sides
            .extend([("throttlecrab", crab as _), ("throttlecrab, pipeline of 1", unbatched as _)]);
    }
    if let (Some(theirs), Some(name)) = (&mut theirs, &name) {
        sides.push((name, theirs));
    }
    bench.interleave(row, &mut sides);
}

fn measured(plan: Plan, port: u16, pid: u32, call: &Call) -> impl FnMut() -> Sample {
    // Warm: every key was there before.
    Load::new(port, call, KEYS).run_each_key();
    move || Load::new(port, call, KEYS).run_for(plan.warm, plan.measured, pid)
}

/// The command's name and its file's.
fn name(file: &Path, command: &str) -> String {
    let command = command.split(' ').next().unwrap_or_default();
    format!("{command} ({})", file.file_name().unwrap_or_default().to_string_lossy())
}

fn address(proxy: &Proxy) -> String {
    format!("127.0.0.1:{}", proxy.port())
}

/// Its highest rate is what it counts in: no request is delayed or refused.
fn nginx() -> Proxy {
    let configuration = |port: u16| {
        format!(
            "daemon off; master_process off; pid pid; error_log stderr crit; events {{}}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_requests 1000000000;
  limit_req_zone $arg_key zone=keys:64m rate=1000r/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ limit_req zone=keys burst=1000000 nodelay; empty_gif; }}
  }}
}}"
        )
    };
    let program =
        ProxyProgram { name: "nginx", variable: None, arguments: &["-p", ".", "-c", "nginx.conf"] };
    program.start(|port| vec![(PathBuf::from("nginx.conf"), configuration(port))])
}

/// With this protocol alone, on one thread.
fn throttlecrab(protocol: &str) -> Proxy {
    let program = super::target().join("peers/bin/throttlecrab-server");
    let program = program.display();
    let command = |port: u16| {
        format!(
            "TOKIO_WORKER_THREADS=1 exec {program} --{protocol} --{protocol}-host 127.0.0.1 \
             --{protocol}-port {port} --log-level error"
        )
    };
    let shell = ProxyProgram { name: "sh", variable: None, arguments: &["command"] };
    shell.start(|port| vec![(PathBuf::from("command"), command(port))])
}
