//! One trace, four engines: equal answers and states that are equal to the bit.

use std::fmt::Write;

use redis::Connection;
use rl_bucket::{Bucket, Cost, Level, Limit, Micros};
use rl_server::store::memory::MemoryStore;
use rl_tests::{RedisServer, Setup, check_script, peek_script};

const START: u64 = 1_700_000_000_000_000;
const STEPS: usize = 4_000;

/// A small generator (SplitMix64, Steele et al. 2014): the same trace from the same seed anywhere.
struct Random(u64);

struct Step {
    now: u64,
    capacity: String,
    rate: String,
    cost: String,
    peek: bool,
}

/// What one engine says of a step, and what it then holds.
#[derive(Debug, PartialEq)]
struct Outcome {
    answer: [i64; 5],
    state: Option<[u8; Bucket::LEN]>,
    expires_at_ms: Option<i64>,
}

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
}

/// A trace that stays with a limit for a while, then changes it; whose time mostly creeps, sometimes
/// leaps, and now and then goes back.
fn trace(seed: u64) -> Vec<Step> {
    let mut random = Random(seed);
    let mut now = START;
    let (mut capacity, mut rate) = ("10".to_owned(), "5".to_owned());
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        if random.below(12) == 0 {
            capacity = match random.below(4) {
                0 => random.one_of(&["1", "0.5", "1000000000", "2.000000001"]).to_owned(),
                1 => format!("{}.{:09}", random.below(100), 1 + random.below(999_999_999)),
                _ => (1 + random.below(200)).to_string(),
            };
            rate = match random.below(4) {
                0 => random.one_of(&["1000000000", "0.000001", "1/d", "100/m", "7/11s"]).to_owned(),
                1 => format!(
                    "{}/{}{}",
                    1 + random.below(99),
                    1 + random.below(20),
                    random.one_of(&["s", "m"])
                ),
                2 => format!("0.{:09}", 1000 + random.below(999_990_000)),
                _ => (1 + random.below(300)).to_string(),
            };
        }
        let held: f64 = capacity.parse().unwrap();
        let cost = match random.below(8) {
            0 => "0".to_owned(),
            1 => format!("{:.9}", held * random.below(1000) as f64 / 1000.0),
            2 => capacity.clone(),
            3 => format!("{:.3}", (held * 1.5).min(1e9)),
            _ => "1".to_owned(),
        };
        now = match random.below(40) {
            0 => now + random.below(10 * 86_400_000_000),
            1 => now - random.below(5_000_000).min(now - START),
            2 => now,
            _ => now + random.below(600_000),
        };
        let peek = random.below(10) == 0;
        steps.push(Step { now, capacity: capacity.clone(), rate: rate.clone(), cost, peek });
    }
    steps
}

// === the engines ===

/// The bucket itself, its state kept by hand as Redis keeps a key.
#[derive(Default)]
struct Model(Option<Bucket>);

impl Model {
    fn ask(&mut self, step: &Step) -> Outcome {
        let now = Micros::new(step.now);
        let alive = |bucket: &Bucket| bucket.expires_at_ms() as u64 >= step.now / 1000;
        self.0 = self.0.filter(alive);
        let limit = Limit::parse(&step.capacity, &step.rate).unwrap();
        let cost = Cost::parse(step.cost.as_bytes()).unwrap();
        let level = Level::at(self.0, &limit, now);
        let decision = if step.peek {
            level.peek(cost)
        } else {
            let moved = level.check(cost);
            self.0 = moved.write.or(self.0);
            moved.decision
        };
        Outcome::of(decision.to_wire(), self.0)
    }
}

fn ask_memory(store: &MemoryStore, step: &Step) -> Outcome {
    let limit = Limit::parse(&step.capacity, &step.rate).unwrap();
    let cost = Cost::parse(step.cost.as_bytes()).unwrap();
    let now = Micros::new(step.now);
    let decision = if step.peek {
        store.peek(b"k", &limit, cost, now)
    } else {
        store.check(b"k", &limit, cost, now)
    };
    Outcome::of(decision.to_wire(), store.state(b"k"))
}

fn ask_module(connection: &mut Connection, key: &str, step: &Step) -> Outcome {
    let answer = redis::cmd(if step.peek { "RL.PEEK" } else { "RL.CHECK" })
        .arg(&[key, &step.capacity, &step.rate, &step.cost])
        .query(connection)
        .unwrap();
    Outcome::stored(connection, key, answer)
}

fn ask_lua(connection: &mut Connection, key: &str, step: &Step) -> Outcome {
    let rate = Limit::parse(&step.capacity, &step.rate).unwrap().rate().per_second();
    let answer = redis::cmd("EVAL")
        .arg(if step.peek { peek_script() } else { check_script() })
        .arg(1)
        .arg(&[key, &step.capacity, &rate.to_string(), &step.cost])
        .query(connection)
        .unwrap();
    Outcome::stored(connection, key, answer)
}

// === impl Outcome ===

impl Outcome {
    fn of(answer: [i64; 5], bucket: Option<Bucket>) -> Self {
        Self {
            answer,
            state: bucket.map(|bucket| bucket.encode()),
            expires_at_ms: bucket.map(|bucket| bucket.expires_at_ms()),
        }
    }

    fn stored(connection: &mut Connection, key: &str, answer: [i64; 5]) -> Self {
        let state: Option<Vec<u8>> = redis::cmd("GET").arg(key).query(connection).unwrap();
        let ttl: i64 = redis::cmd("PEXPIRETIME").arg(key).query(connection).unwrap();
        Self {
            answer,
            state: state.map(|bytes| bytes.try_into().expect("a bucket's length")),
            expires_at_ms: (ttl >= 0).then_some(ttl),
        }
    }
}

/// One engine: it takes a step and says what came of it.
type Ask<'a> = &'a mut dyn FnMut(&Step) -> Outcome;

/// Runs a trace and compares each engine with the bucket itself at every step.
fn conform(server: &RedisServer, seed: u64, engines: &mut [(&str, Ask<'_>)]) {
    let mut model = Model::default();
    let mut denied = 0;
    for (i, step) in trace(seed).iter().enumerate() {
        server.clock().freeze(step.now);
        let expected = model.ask(step);
        denied += usize::from(expected.answer[0] == 0);
        for (name, ask) in engines.iter_mut() {
            let said = ask(step);
            if said != expected {
                let mut story = String::new();
                let Step { now, capacity, rate, cost, peek } = step;
                write!(
                    story,
                    "seed {seed:#x}, step {i}: {now} {capacity} {rate} {cost} peek={peek}"
                )
                .unwrap();
                panic!("{name} differs at {story}\n bucket {expected:?}\n {name} {said:?}");
            }
        }
    }
    // A trace that is all one answer would prove little.
    assert!((STEPS / 10..STEPS * 9 / 10).contains(&denied), "{denied} of {STEPS} denied");
}

#[test]
fn one_trace_on_every_engine() {
    let server = Setup::with_module().with_clock().start();
    let (mut for_module, mut for_lua) = (server.connect(), server.connect());
    for seed in [1, 2, 3] {
        server.run::<()>("FLUSHALL");
        let store = MemoryStore::new();
        conform(
            &server,
            seed,
            &mut [
                ("memory", &mut |step| ask_memory(&store, step)),
                ("module", &mut |step| ask_module(&mut for_module, "module", step)),
                ("lua", &mut |step| ask_lua(&mut for_lua, "lua", step)),
            ],
        );
    }
}

#[test]
fn module_and_lua_take_turns_on_one_key() {
    let server = Setup::with_module().with_clock().start();
    let mut connection = server.connect();
    let mut turn = 0;
    conform(
        &server,
        7,
        &mut [("the two in turn", &mut |step| {
            turn += 1;
            match turn % 2 {
                0 => ask_module(&mut connection, "k", step),
                _ => ask_lua(&mut connection, "k", step),
            }
        })],
    );
}

#[test]
fn lua_refuses_what_is_no_bucket() {
    let server = Setup::plain().start();
    let mut connection = server.connect();
    redis::cmd("SET").arg("text").arg("1234567890123456789012345").exec(&mut connection).unwrap();
    redis::cmd("SET").arg("empty").arg("").exec(&mut connection).unwrap();
    redis::cmd("RPUSH").arg("list").arg("a").exec(&mut connection).unwrap();
    for script in [check_script(), peek_script()] {
        for key in ["text", "empty", "list"] {
            let mut eval = redis::cmd("EVAL");
            eval.arg(script).arg(1).arg(&[key, "10", "1", "1"]);
            let refusal = eval.query::<redis::Value>(&mut connection).unwrap_err();
            assert_eq!(refusal.code(), Some("WRONGTYPE"), "{key}: {refusal}");
        }
    }
    assert_eq!(server.run::<String>("GET text"), "1234567890123456789012345");
}
