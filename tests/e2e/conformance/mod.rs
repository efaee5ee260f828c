//! One trace of every command on every engine: answers are equal, and states are equal to the bit.

mod engines;
mod model;
mod trace;

use redis::Value;
use rl_store::memory::MemoryStore;
use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{RedisServer, Setup};

use engines::{run_lua, run_memory, run_module};
use model::{Model, Outcome};
use trace::{STEPS, Step, trace};

/// The longest wait that is reported.
const MAX_WAIT_MS: i64 = 8_000_000_000_000_000_000;

/// An engine, which runs a step.
type Engine<'a> = &'a mut dyn FnMut(&Step) -> Outcome;

/// Runs a trace and compares each engine with the bucket at every step.
fn conform(server: &RedisServer, seed: u64, engines: &mut [(&str, Engine<'_>)]) {
    let mut models = vec![Model::default(); engines.len()];
    let (mut denied, mut capped) = (0, 0);
    for (i, step) in trace(seed).iter().enumerate() {
        server.freeze(step.now);
        for ((name, run), model) in engines.iter_mut().zip(&mut models) {
            let outcome = run(step);
            denied += usize::from(step.command == CommandKind::Check && outcome.answer[0] == 0);
            capped += usize::from(outcome.answer.contains(&MAX_WAIT_MS));
            if let Err(bucket) = model.follow(step, &outcome) {
                panic!(
                    "{name} differs at seed {seed}, step {i}: {step:?}\n \
                     bucket {bucket:?}\n {name} {outcome:?}"
                );
            }
        }
    }
    // A third of the steps are checks; a trace with one kind of answer would prove little.
    let share = denied / engines.len();
    assert!((STEPS / 30..STEPS / 3).contains(&share), "{share} of {STEPS} steps are denied checks");
    assert!(capped / engines.len() > STEPS / 100, "{capped} waits are capped");
}

fn server() -> RedisServer {
    Setup::with_module().with_clock().start()
}

#[test]
fn one_trace_in_the_module() {
    let server = server();
    let mut connection = server.connect();
    for seed in [1, 2] {
        server.run::<()>("FLUSHALL");
        conform(
            &server,
            seed,
            &mut [("module", &mut |step| run_module(&mut connection, "m", step))],
        );
    }
}

#[test]
fn one_trace_in_lua() {
    let server = server();
    let mut connection = server.connect();
    for seed in [1, 2] {
        server.run::<()>("FLUSHALL");
        conform(&server, seed, &mut [("lua", &mut |step| run_lua(&mut connection, "l", step))]);
    }
}

#[test]
fn one_trace_in_process() {
    for seed in 1..=10 {
        let store = MemoryStore::new();
        let mut model = Model::default();
        for (i, step) in trace(seed).iter().enumerate() {
            let (outcome, bucket) = (run_memory(&store, step), model.outcome(step, step.now));
            assert_eq!(outcome, bucket, "seed {seed}, step {i}: {step:?}");
        }
    }
}

#[test]
fn module_and_lua_take_turns_on_the_same_keys() {
    let server = server();
    let mut connection = server.connect();
    let mut turn = 0;
    let mut run = |step: &Step| {
        turn += 1;
        match turn % 2 {
            0 => run_module(&mut connection, "k", step),
            _ => run_lua(&mut connection, "k", step),
        }
    };
    conform(&server, 3, &mut [("the two in turn", &mut run)]);
}

#[test]
fn lua_refuses_what_is_no_bucket() {
    let server = Setup::plain().start();
    let mut connection = server.connect();
    redis::cmd("SET").arg("text").arg("1234567890123456789012345").exec(&mut connection).unwrap();
    redis::cmd("SET").arg("empty").arg("").exec(&mut connection).unwrap();
    redis::cmd("RPUSH").arg("list").arg("a").exec(&mut connection).unwrap();
    for command in COMMANDS.map(|spec| spec.kind) {
        if matches!(command, CommandKind::MCheck | CommandKind::Reset) {
            continue; // tested below and in `commands`
        }
        for key in ["text", "empty", "list"] {
            let mut eval = redis::cmd("EVAL");
            eval.arg(COMMANDS[command as usize].script).arg(1).arg(&[key, "10", "1", "1"]);
            let refusal = eval.query::<Value>(&mut connection).unwrap_err();
            assert_eq!(refusal.code(), Some("WRONGTYPE"), "{command:?} {key}: {refusal}");
        }
    }
    let mut reset = redis::cmd("EVAL");
    reset.arg(COMMANDS[CommandKind::Reset as usize].script).arg(3).arg(&["text", "empty", "list"]);
    assert_eq!(reset.query::<i64>(&mut connection).unwrap(), 0);
    assert_eq!(server.run::<String>("GET text"), "1234567890123456789012345");
    assert_eq!(server.run::<i64>("DBSIZE"), 3);
}
