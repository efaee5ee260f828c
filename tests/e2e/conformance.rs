//! One trace of every command, on every engine: equal answers and states that are equal to the bit.

use redis::{Connection, Value};
use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros};
use rl_server::store::memory::MemoryStore;
use rl_server::store::redis::Command;
use rl_server::store::{AllOrNothing, Request};
use rl_tests::{Flavour, RedisServer, Setup, expires_at};

const START: u64 = 1_700_000_000_000_000;
const STEPS: usize = 3_000;
const KEYS: usize = 3;
/// Valkey's clock cannot be stopped altogether: between its ticks it counts on by another. There a step
/// may be answered for any one moment this many microseconds around the one that was set.
const VALKEY_RUNS_ON: u64 = 5_000;

/// A small generator (SplitMix64, Steele et al. 2014): the same trace from the same seed anywhere.
struct Random(u64);

/// One question of one bucket.
#[derive(Clone, Debug)]
struct Question {
    key: usize,
    capacity: String,
    rate: String,
    amount: String,
}

/// One command: a question, or several for the commands that take several.
#[derive(Debug)]
struct Step {
    now: u64,
    command: Command,
    questions: Vec<Question>,
}

/// What an engine says of a step, and what it then holds under each key, with the key's expiry.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    answer: Vec<i64>,
    states: Vec<Option<([u8; Bucket::LEN], i64)>>,
}

/// One engine: it takes a step and says what came of it.
type Engine<'a> = &'a mut dyn FnMut(&Step) -> Outcome;

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn capacity(&mut self) -> String {
        match self.below(4) {
            0 => self.one_of(&["1", "0.5", "1000000000", "2.000000001"]).to_owned(),
            1 => format!("{}.{:09}", self.below(100), 1 + self.below(999_999_999)),
            _ => (1 + self.below(200)).to_string(),
        }
    }

    fn rate(&mut self) -> String {
        let unit = self.one_of(&["s", "m"]);
        match self.below(4) {
            0 => self.one_of(&["1000000000", "0.000001", "1/d", "100/m", "7/11s"]).to_owned(),
            1 => format!("{}/{}{unit}", 1 + self.below(99), 1 + self.below(20)),
            2 => format!("0.{:09}", 1000 + self.below(999_990_000)),
            _ => (1 + self.below(300)).to_string(),
        }
    }

    fn amount(&mut self, capacity: &str) -> String {
        let held: f64 = capacity.parse().expect("a number");
        match self.below(8) {
            0 => "0".to_owned(),
            1 => format!("{:.9}", held * self.below(1000) as f64 / 1000.0),
            2 => capacity.to_owned(),
            3 => format!("{:.3}", (held * 1.5).min(1e9)),
            _ => "1".to_owned(),
        }
    }
}

/// A trace over a few buckets, whose limits stay for a while and then change, and whose time mostly
/// creeps, sometimes leaps, and now and then goes back.
fn trace(seed: u64) -> Vec<Step> {
    use Command::{Charge, Check, CheckAll, MCheck, Peek, Refund, Reset, Take};

    let mut random = Random(seed);
    let mut now = START;
    let mut limits: Vec<_> = (0..KEYS).map(|_| (random.capacity(), random.rate())).collect();
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        if random.below(6) == 0 {
            let key = random.below(KEYS as u64) as usize;
            limits[key] = (random.capacity(), random.rate());
        }
        now = match random.below(40) {
            0 => now + random.below(10 * 86_400_000_000),
            1 => now - random.below(5_000_000).min(now - START),
            2 => now,
            _ => now + random.below(600_000),
        };
        let command = match random.below(60) {
            0 => Reset,
            _ => random.one_of(&[
                Check, Check, Check, Check, Peek, Take, Take, Refund, Charge, MCheck, CheckAll,
                CheckAll,
            ]),
        };
        let several = matches!(command, MCheck | CheckAll | Reset);
        let count = if several { 1 + random.below(4) } else { 1 };
        let questions = (0..count)
            .map(|_| {
                // Keys may repeat: the later question must see what the earlier one left.
                let key = random.below(KEYS as u64) as usize;
                let (capacity, rate) = limits[key].clone();
                let amount = random.amount(&capacity);
                Question { key, capacity, rate, amount }
            })
            .collect();
        steps.push(Step { now, command, questions });
    }
    steps
}

// === the model: the bucket itself, its states kept by hand as Redis keeps keys ===

#[derive(Clone, Default)]
struct Model([Option<Bucket>; KEYS]);

impl Model {
    fn answer(&mut self, step: &Step, now: Micros) -> Vec<i64> {
        let buckets = &mut self.0;
        for bucket in buckets.iter_mut() {
            let alive = |bucket: &Bucket| bucket.expires_at_ms() as u64 >= now.get() / 1000;
            *bucket = bucket.filter(alive);
        }
        let level = |bucket, question: &Question| {
            let limit = Limit::parse(&question.capacity, &question.rate).expect("a limit");
            let amount = Cost::parse(question.amount.as_bytes()).expect("an amount");
            (Level::at(bucket, &limit, now), amount)
        };
        let mut answer = Vec::new();
        match step.command {
            Command::CheckAll => {
                let before = *buckets;
                let mut said: Vec<Decision> = Vec::new();
                let mut peeked: Vec<Decision> = Vec::new();
                let mut anchored: Vec<(usize, Option<Bucket>)> = Vec::new();
                for question in &step.questions {
                    let (level, amount) = level(buckets[question.key], question);
                    let step = level.check(amount);
                    said.push(step.decision);
                    peeked.push(level.peek(amount));
                    anchored.push((question.key, level.check(Cost::ZERO).write));
                    buckets[question.key] = step.write.or(buckets[question.key]);
                }
                let denied = said.iter().position(|decision| !decision.is_allowed());
                if denied.is_some() {
                    *buckets = before;
                    said = peeked;
                    for (key, write) in anchored {
                        buckets[key] = write.or(buckets[key]);
                    }
                }
                answer.push(i64::from(denied.is_none()));
                answer.push(denied.map_or(-1, |index| index as i64));
                answer.extend(said.into_iter().flat_map(Decision::to_wire));
            }
            Command::Reset => {
                let dropped = step.questions.iter().filter_map(|q| buckets[q.key].take());
                answer.push(dropped.count() as i64);
            }
            command => {
                for question in &step.questions {
                    let bucket = &mut buckets[question.key];
                    let (level, amount) = level(*bucket, question);
                    let moved = match command {
                        Command::Take => {
                            let (granted, moved) = level.take(amount);
                            answer.push(granted as i64);
                            moved
                        }
                        Command::Refund => level.refund(amount),
                        Command::Charge => level.charge(amount),
                        Command::Peek => {
                            answer.extend(level.peek(amount).to_wire());
                            continue;
                        }
                        _ => level.check(amount),
                    };
                    *bucket = moved.write.or(*bucket);
                    answer.extend(moved.decision.to_wire());
                }
            }
        }
        answer
    }

    fn outcome(&mut self, step: &Step, now: u64) -> Outcome {
        let answer = self.answer(step, Micros::new(now));
        let states = self.0.iter().map(|bucket| bucket.map(|b| (b.encode(), b.expires_at_ms())));
        Outcome { answer, states: states.collect() }
    }

    /// Follows what an engine said, if there is a moment at which the bucket itself says it too.
    fn follow(&mut self, step: &Step, said: &Outcome) -> Result<(), Outcome> {
        let slack = if Flavour::under_test().valkey { VALKEY_RUNS_ON } else { 0 };
        for now in (step.now..=step.now + slack).chain(step.now - slack..step.now) {
            let mut candidate = self.clone();
            if candidate.outcome(step, now) == *said {
                *self = candidate;
                return Ok(());
            }
        }
        Err(self.clone().outcome(step, step.now))
    }
}

// === the engines ===

fn outcome(connection: &mut Connection, prefix: &str, answer: Value) -> Outcome {
    let answer = match answer {
        Value::Int(one) => vec![one],
        many => redis::from_redis_value(many).expect("integers"),
    };
    let mut state = |key: usize| {
        let key = format!("{prefix}{key}");
        let value: Option<Vec<u8>> = redis::cmd("GET").arg(&key).query(connection).expect("GET");
        let bytes = value?.try_into().expect("the length of a bucket");
        Some((bytes, expires_at(connection, &key)))
    };
    Outcome { answer, states: (0..KEYS).map(&mut state).collect() }
}

fn ask_module(connection: &mut Connection, prefix: &str, step: &Step) -> Outcome {
    let mut command = redis::cmd(step.command.name());
    for Question { key, capacity, rate, amount } in &step.questions {
        command.arg(format!("{prefix}{key}"));
        if step.command != Command::Reset {
            command.arg(capacity).arg(rate).arg(amount);
        }
    }
    let answer = command.query(connection).expect("an answer of the module");
    outcome(connection, prefix, answer)
}

fn ask_lua(connection: &mut Connection, prefix: &str, step: &Step) -> Outcome {
    let mut command = redis::cmd("EVAL");
    command.arg(step.command.script()).arg(step.questions.len());
    for question in &step.questions {
        command.arg(format!("{prefix}{}", question.key));
    }
    if step.command != Command::Reset {
        for Question { capacity, rate, amount, .. } in &step.questions {
            let rate = Limit::parse(capacity, rate).expect("a limit").rate().per_second();
            command.arg(capacity).arg(rate.to_string()).arg(amount);
        }
    }
    let answer = command.query(connection).expect("an answer of the script");
    outcome(connection, prefix, answer)
}

fn ask_memory(store: &MemoryStore, step: &Step) -> Outcome {
    let now = Micros::new(step.now);
    let keys: Vec<Vec<u8>> = step.questions.iter().map(|q| vec![q.key as u8]).collect();
    let requests = step.questions.iter().zip(&keys).map(|(question, key)| Request {
        key,
        limit: Limit::parse(&question.capacity, &question.rate).expect("a limit"),
        amount: Cost::parse(question.amount.as_bytes()).expect("an amount"),
    });
    let requests: Vec<_> = requests.collect();
    let Request { key, limit, amount } = requests[0];
    let one = |decision: Decision| decision.to_wire().to_vec();
    let answer = match step.command {
        Command::Check => one(store.check(key, &limit, amount, now)),
        Command::Peek => one(store.peek(key, &limit, amount, now)),
        Command::Refund => one(store.refund(key, &limit, amount, now)),
        Command::Charge => one(store.charge(key, &limit, amount, now)),
        Command::Take => {
            let (granted, decision) = store.take(key, &limit, amount, now);
            [vec![granted as i64], one(decision)].concat()
        }
        Command::MCheck => store.check_each(&requests, now).into_iter().flat_map(one).collect(),
        Command::CheckAll => {
            let AllOrNothing { denied, decisions } = store.check_all(&requests, now);
            let head = [i64::from(denied.is_none()), denied.map_or(-1, |index| index as i64)];
            head.into_iter().chain(decisions.into_iter().flat_map(one)).collect()
        }
        Command::Reset => {
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            vec![store.reset(&keys, now) as i64]
        }
    };
    // It forgets a full bucket when somebody meets it, as Redis does when it is asked for the state.
    let states = (0..KEYS).map(|key| {
        store.peek(&[key as u8], &limit, Cost::ZERO, now);
        store.state(&[key as u8])
    });
    let states = states.map(|bucket| bucket.map(|b| (b.encode(), b.expires_at_ms())));
    Outcome { answer, states: states.collect() }
}

/// Runs a trace and compares each engine with the bucket itself at every step.
fn conform(server: &RedisServer, seed: u64, engines: &mut [(&str, Engine<'_>)]) {
    let mut models = vec![Model::default(); engines.len()];
    let mut denied = 0;
    for (i, step) in trace(seed).iter().enumerate() {
        server.freeze(step.now);
        for ((name, ask), model) in engines.iter_mut().zip(&mut models) {
            let said = ask(step);
            denied += usize::from(step.command == Command::Check && said.answer[0] == 0);
            if let Err(bucket) = model.follow(step, &said) {
                panic!(
                    "{name} differs at seed {seed}, step {i}: {step:?}\n bucket {bucket:?}\n {name} {said:?}"
                );
            }
        }
    }
    // A third of the steps are checks; a trace of one answer only would prove little.
    let share = denied / engines.len();
    assert!((STEPS / 30..STEPS / 3).contains(&share), "{share} of {STEPS} steps are denied checks");
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
            &mut [("module", &mut |step| ask_module(&mut connection, "m", step))],
        );
    }
}

#[test]
fn one_trace_in_lua() {
    let server = server();
    let mut connection = server.connect();
    for seed in [1, 2] {
        server.run::<()>("FLUSHALL");
        conform(&server, seed, &mut [("lua", &mut |step| ask_lua(&mut connection, "l", step))]);
    }
}

#[test]
fn one_trace_in_process() {
    for seed in 1..=10 {
        let store = MemoryStore::new();
        let mut model = Model::default();
        for (i, step) in trace(seed).iter().enumerate() {
            let (said, bucket) = (ask_memory(&store, step), model.outcome(step, step.now));
            assert_eq!(said, bucket, "seed {seed}, step {i}: {step:?}");
        }
    }
}

#[test]
fn module_and_lua_take_turns_on_the_same_keys() {
    let server = server();
    let mut connection = server.connect();
    let mut turn = 0;
    let mut ask = |step: &Step| {
        turn += 1;
        match turn % 2 {
            0 => ask_module(&mut connection, "k", step),
            _ => ask_lua(&mut connection, "k", step),
        }
    };
    conform(&server, 3, &mut [("the two in turn", &mut ask)]);
}

#[test]
fn lua_refuses_what_is_no_bucket() {
    let server = Setup::plain().start();
    let mut connection = server.connect();
    redis::cmd("SET").arg("text").arg("1234567890123456789012345").exec(&mut connection).unwrap();
    redis::cmd("SET").arg("empty").arg("").exec(&mut connection).unwrap();
    redis::cmd("RPUSH").arg("list").arg("a").exec(&mut connection).unwrap();
    for command in Command::ALL {
        if matches!(command, Command::MCheck | Command::Reset) {
            continue; // these say so in their own way, below and in `commands`
        }
        for key in ["text", "empty", "list"] {
            let mut eval = redis::cmd("EVAL");
            eval.arg(command.script()).arg(1).arg(&[key, "10", "1", "1"]);
            let refusal = eval.query::<Value>(&mut connection).unwrap_err();
            assert_eq!(refusal.code(), Some("WRONGTYPE"), "{command:?} {key}: {refusal}");
        }
    }
    let mut reset = redis::cmd("EVAL");
    reset.arg(Command::Reset.script()).arg(3).arg(&["text", "empty", "list"]);
    assert_eq!(reset.query::<i64>(&mut connection).unwrap(), 0);
    assert_eq!(server.run::<String>("GET text"), "1234567890123456789012345");
    assert_eq!(server.run::<i64>("DBSIZE"), 3);
}
