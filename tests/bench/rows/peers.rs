//! Other rate limiters under the same load on the same machine: absolute rates, not ratios.
//!
//! Each server has one worker. nginx answers from its shared memory, throttlecrab and the memory
//! front from process memory, the others from Redis. scripts/bench installs them.

use std::path::{Path, PathBuf};

use rl_tests::{Proxy, ProxyProgram, Setup};

use super::commands::{ALLOWED, CAPACITY, RATE, check, incr, load_buckets};
use super::http::{Engine, Stack, bare};
use crate::bench::{Bench, Plan, Variant};
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

/// Measures the rate limiters that speak HTTP.
pub(crate) fn http(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let (bare, nginx, crab) = (bare(), nginx(), throttlecrab("http"));
    let stacks = [Engine::Memory, Engine::Module, Engine::Lua]
        .map(|engine| Stack::with_buckets_in_use(engine, 1));
    let [mut memory, mut module, mut lua] =
        stacks.each_ref().map(|stack| stack.measurement(plan, Wrk::check(KEYS)));
    let throttle = r#"{"key":"KEY","max_burst":1000000,"count_per_period":1000,"period":1}"#;
    let body = throttle.replace("KEY", KEY);
    Call::http("POST", "/throttle", &body).assert_reply(crab.port(), r#""allowed":true"#);
    let throttle = Wrk::post("/throttle", throttle, KEYS);
    Call::http("GET", &format!("/?key={KEY}"), "").assert_reply(nginx.port(), "GIF89a");
    let mut crab = || throttle.run(&address(&crab), plan.wrk_seconds, &[crab.pid()]);
    let mut nginx =
        || Wrk::get("/?key=KEY", KEYS).run(&address(&nginx), plan.wrk_seconds, &[nginx.pid()]);
    let mut bare = || Wrk::check(KEYS).run(bare.address(), plan.wrk_seconds, &[bare.pid()]);
    let variants: &mut [Variant<'_>] = &mut [
        ("bare actix handler", &mut bare),
        ("nginx limit_req", &mut nginx),
        ("throttlecrab", &mut crab),
        ("RL, memory", &mut memory),
        ("RL, Redis module", &mut module),
        ("RL, Redis Lua", &mut lua),
    ];
    bench.interleave(row, variants);
}

/// Measures the rate limiters that speak the Redis protocol.
pub(crate) fn redis(bench: &mut Bench, row: &str) {
    let plan = bench.plan;
    let other = bench.other_module.clone();
    let (plain, ours) = (Setup::plain().start(), Setup::with_module().start());
    let (incr, check) = (incr(), check());
    load_buckets(&ours, KEYS);
    check.assert_reply(ours.port(), ALLOWED);
    let mut incr = measurement(plan, plain.port(), plain.pid(), &incr);
    let mut ours = measurement(plan, ours.port(), ours.pid(), &check);
    let crab_server = bench.with_peers.then(|| throttlecrab("redis"));
    let throttle = Call::redis(&format!("THROTTLE {KEY} {CAPACITY} {RATE} 1"), 6);
    let mut crab = crab_server.as_ref().map(|crab| {
        throttle.assert_reply(crab.port(), "*5\r\n:1\r\n");
        measurement(plan, crab.port(), crab.pid(), &throttle)
    });
    // throttlecrab sends each reply in its own segment, so each batch waits for a delayed
    // acknowledgement. For fairness it is measured without batches too.
    let mut unbatched = crab_server.as_ref().map(|crab| {
        let load = Load { pipeline: 1, ..Load::new(crab.port(), &throttle, KEYS) };
        move || load.run_for(plan.warm_up_time, plan.measure_time, crab.pid())
    });
    let theirs = other.as_ref().map(|other| (Setup::with_other_module(&other.file).start(), other));
    let theirs = theirs.as_ref().map(|(server, other)| {
        let words = other.command.replace("KEY", KEY);
        (server, Call::redis(&words, Call::redis(&words, 1).count_reply_lines(server.port())))
    });
    let name = other.as_ref().map(|other| name(&other.file, &other.command));
    let mut theirs =
        theirs.as_ref().map(|(server, call)| measurement(plan, server.port(), server.pid(), call));
    let mut variants: Vec<Variant<'_>> = vec![("INCR", &mut incr), ("RL.CHECK", &mut ours)];
    if let (Some(crab), Some(unbatched)) = (&mut crab, &mut unbatched) {
        variants
            .extend([("throttlecrab", crab as _), ("throttlecrab, pipeline of 1", unbatched as _)]);
    }
    if let (Some(theirs), Some(name)) = (&mut theirs, &name) {
        variants.push((name, theirs));
    }
    bench.interleave(row, &mut variants);
}

fn measurement(plan: Plan, port: u16, pid: u32, call: &Call) -> impl FnMut() -> Sample {
    // Every key exists before the measurement.
    Load::new(port, call, KEYS).run_each_key();
    move || Load::new(port, call, KEYS).run_for(plan.warm_up_time, plan.measure_time, pid)
}

/// The name of a variant: the command, and the file of the module.
fn name(file: &Path, command: &str) -> String {
    let command = command.split(' ').next().unwrap_or_default();
    format!("{command} ({})", file.file_name().unwrap_or_default().to_string_lossy())
}

fn address(proxy: &Proxy) -> String {
    format!("127.0.0.1:{}", proxy.port())
}

/// nginx at its highest rate, so that no request is delayed or refused.
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

/// throttlecrab with this protocol only, on one thread.
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
