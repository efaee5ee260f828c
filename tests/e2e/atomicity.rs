//! Many callers at once get exactly what is in the bucket.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{Front, RedisServer, Setup};

const CALLERS: usize = 64;
const CAPACITY: usize = 1000;
const COST: usize = 3;
const ADMITTED: usize = CAPACITY / COST;
/// Together the callers ask for about twice the capacity.
const CHECKS: usize = 2 * ADMITTED / CALLERS + 1;

/// `CALLERS` threads make their clients, start together, and send `CHECKS` checks each. Returns the
/// number of allowed checks.
fn stampede<C>(connect: impl Fn(usize) -> C + Sync, ask: impl Fn(&mut C) -> bool + Sync) -> usize {
    let start = Barrier::new(CALLERS);
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (start, admitted, connect, ask) = (&start, &admitted, &connect, &ask);
            scope.spawn(move || {
                let mut client = connect(caller);
                start.wait();
                for _ in 0..CHECKS {
                    admitted.fetch_add(usize::from(ask(&mut client)), Ordering::Relaxed);
                }
            });
        }
    });
    admitted.into_inner()
}

fn check(front: &Front) -> bool {
    let body = format!(r#"{{"key":"hot","capacity":{CAPACITY},"rate":"1/d","cost":{COST}}}"#);
    let answer = front.check(&body);
    assert_eq!(answer["degraded"], serde_json::Value::Null, "{answer}");
    answer["allowed"].as_bool().expect("a decision")
}

fn through_two_fronts(server: &RedisServer, engine: &str) {
    let url = server.url();
    let arguments = ["--store", &url, "--engine", engine, "--deadline-ms", "10000"];
    let fronts = [Front::start(&arguments), Front::start(&arguments)];
    assert_eq!(stampede(|caller| &fronts[caller % 2], |front| check(front)), ADMITTED);
}

#[test]
fn straight_at_the_module() {
    let server = Setup::with_module().start();
    let admitted = stampede(
        |_| server.connect(),
        |connection| {
            let mut check = redis::cmd("RL.CHECK");
            check.arg("hot").arg(CAPACITY).arg("1/d").arg(COST);
            check.query::<[i64; 5]>(connection).unwrap()[0] == 1
        },
    );
    assert_eq!(admitted, ADMITTED);
}

#[test]
fn straight_at_the_script() {
    let server = Setup::plain().start();
    let admitted = stampede(
        |_| server.connect(),
        |connection| {
            let mut eval = redis::cmd("EVAL");
            eval.arg(COMMANDS[CommandKind::Check as usize].script)
                .arg(1)
                .arg("hot")
                .arg(CAPACITY)
                .arg("0.00001")
                .arg(COST);
            eval.query::<[i64; 5]>(connection).unwrap()[0] == 1
        },
    );
    assert_eq!(admitted, ADMITTED);
}

#[test]
fn through_two_fronts_with_the_module() {
    through_two_fronts(&Setup::with_module().start(), "module");
}

#[test]
fn through_two_fronts_with_the_script() {
    through_two_fronts(&Setup::plain().start(), "lua");
}

#[test]
fn through_two_fronts_one_on_each_engine() {
    let server = Setup::with_module().start();
    let url = server.url();
    let fronts = ["module", "lua"].map(|engine| {
        Front::start(&["--store", &url, "--engine", engine, "--deadline-ms", "10000"])
    });
    assert_eq!(stampede(|caller| &fronts[caller % 2], |front| check(front)), ADMITTED);
}

#[test]
fn through_a_front_with_its_own_store() {
    let front = Front::start(&[]);
    assert_eq!(stampede(|_| &front, |front| check(front)), ADMITTED);
}
