//! The engines: how each runs a step, and the state that it then holds.

use redis::{Connection, Value};
use rl_bucket::{Cost, Decision, Limit, Micros};
use rl_store::memory::MemoryStore;
use rl_store::redis::{COMMANDS, CommandKind};
use rl_store::{BucketRequest, JointDecision};
use rl_tests::expires_at;

use super::model::Outcome;
use super::trace::{Arguments, KEYS, Step};

fn outcome(connection: &mut Connection, prefix: &str, answer: Value) -> Outcome {
    let answer = match answer {
        Value::Int(one) => vec![one],
        many => redis::from_redis_value(many).expect("integers"),
    };
    let mut state = |key: usize| {
        let key = format!("{prefix}{key}");
        let value: Option<Vec<u8>> = redis::cmd("GET").arg(&key).query(connection).expect("GET");
        let bytes = value?.try_into().expect("the length of a bucket");
        let expires = expires_at(connection, &key);
        (expires != -2).then_some((bytes, expires)) // -2: it has just expired
    };
    Outcome { answer, states: (0..KEYS).map(&mut state).collect() }
}

pub(super) fn run_module(connection: &mut Connection, prefix: &str, step: &Step) -> Outcome {
    let mut command = redis::cmd(COMMANDS[step.command as usize].name);
    for Arguments { key, capacity, rate, amount } in &step.buckets {
        command.arg(format!("{prefix}{key}"));
        if step.command != CommandKind::Reset {
            command.arg(capacity).arg(rate).arg(amount);
        }
    }
    let answer = command.query(connection).expect("an answer of the module");
    outcome(connection, prefix, answer)
}

pub(super) fn run_lua(connection: &mut Connection, prefix: &str, step: &Step) -> Outcome {
    let mut command = redis::cmd("EVAL");
    command.arg(COMMANDS[step.command as usize].script).arg(step.buckets.len());
    for arguments in &step.buckets {
        command.arg(format!("{prefix}{}", arguments.key));
    }
    if step.command != CommandKind::Reset {
        for Arguments { capacity, rate, amount, .. } in &step.buckets {
            let rate = Limit::parse(capacity, rate).expect("a limit").rate().per_second();
            command.arg(capacity).arg(rate.to_string()).arg(amount);
        }
    }
    let answer = command.query(connection).expect("an answer of the script");
    outcome(connection, prefix, answer)
}

pub(super) fn run_memory(store: &MemoryStore, step: &Step) -> Outcome {
    let now = Micros::new(step.now);
    let keys: Vec<Vec<u8>> = step.buckets.iter().map(|q| vec![q.key as u8]).collect();
    let requests = step.buckets.iter().zip(&keys).map(|(arguments, key)| BucketRequest {
        key,
        limit: Limit::parse(&arguments.capacity, &arguments.rate).expect("a limit"),
        amount: Cost::parse(arguments.amount.as_bytes()).expect("an amount"),
    });
    let requests: Vec<_> = requests.collect();
    let BucketRequest { key, limit, amount } = requests[0];
    let one = |decision: Decision| decision.to_wire().to_vec();
    let answer = match step.command {
        CommandKind::Check => one(store.check(key, &limit, amount, now)),
        CommandKind::Peek => one(store.peek(key, &limit, amount, now)),
        CommandKind::Refund => one(store.refund(key, &limit, amount, now)),
        CommandKind::Charge => one(store.charge(key, &limit, amount, now)),
        CommandKind::Take => {
            let (granted, decision) = store.take(key, &limit, amount, now);
            [vec![granted as i64], one(decision)].concat()
        }
        CommandKind::MCheck => store.check_each(&requests, now).into_iter().flat_map(one).collect(),
        CommandKind::CheckAll => {
            let JointDecision { denied, decisions } = store.check_all(&requests, now);
            let head = [i64::from(denied.is_none()), denied.map_or(-1, |index| index as i64)];
            head.into_iter().chain(decisions.into_iter().flat_map(one)).collect()
        }
        CommandKind::Reset => {
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            vec![store.reset(&keys, now) as i64]
        }
    };
    // A peek drops a full bucket, as Redis drops an expired key when its state is read.
    let states = (0..KEYS).map(|key| {
        store.peek(&[key as u8], &limit, Cost::ZERO, now);
        store.state(&[key as u8])
    });
    let states = states.map(|bucket| bucket.map(|b| (b.encode(), b.expires_at_ms())));
    Outcome { answer, states: states.collect() }
}
