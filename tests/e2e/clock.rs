//! A clock that steps, oscillates, and starts at the ends of time.

use redis::Value;
use rl_tests::{RedisServer, Setup};

const START: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * SECOND;
/// Valkey's clock is only close to where it was set, so tests keep this far from the next token.
const MARGIN: u64 = 20_000;

fn server_at(micros: u64) -> RedisServer {
    let server = Setup::with_module().with_clock().start();
    server.freeze(micros);
    server
}

/// Allowed checks of `calls`, each of one token.
fn admitted(server: &RedisServer, limit: &str, calls: usize) -> usize {
    let mut connection = server.connect();
    let mut check = redis::cmd("RL.CHECK");
    check.arg("k").arg(limit.split(' ').collect::<Vec<_>>());
    (0..calls)
        .filter(|_| check.query::<[i64; 5]>(&mut connection).expect("an answer")[0] == 1)
        .count()
}

#[test]
fn a_step_forward_gives_at_most_what_it_would_have_refilled() {
    for (step, extra) in [(SECOND, 1), (HOUR, 100)] {
        let server = server_at(START);
        assert_eq!(admitted(&server, "100 1/s", 150), 100);
        server.freeze(START + step + MARGIN);
        assert_eq!(admitted(&server, "100 1/s", 150), extra);
    }
}

#[test]
fn a_step_back_gives_nothing_and_stalls_nothing() {
    for step in [SECOND, HOUR] {
        let server = server_at(START + 2 * HOUR);
        assert_eq!(admitted(&server, "100 1/s", 150), 100);
        server.freeze(START + 2 * HOUR - step);
        assert_eq!(admitted(&server, "100 1/s", 50), 0);
        server.freeze(START + 2 * HOUR - step + 5 * SECOND + MARGIN);
        assert_eq!(admitted(&server, "100 1/s", 50), 5, "{step} us back");
    }
}

#[test]
fn an_oscillating_clock_gives_no_more_than_the_time_it_passes_forward() {
    let server = server_at(START);
    assert_eq!(admitted(&server, "10 1/s", 20), 10);
    let mut extra = 0;
    for _ in 0..20 {
        server.freeze(START + SECOND + MARGIN);
        extra += admitted(&server, "10 1/s", 20);
        server.freeze(START);
        extra += admitted(&server, "10 1/s", 20);
    }
    // Each swing refills at most one second: a step forward cannot be told from passing time.
    assert!(extra <= 20, "{extra}");
}

#[test]
fn the_ends_of_time() {
    // The epoch and its first second, the end of 32 bits, the year 2100.
    for micros in [1, SECOND, (1 << 31) * SECOND - 1, (1 << 31) * SECOND, 4_102_444_800 * SECOND] {
        let server = server_at(micros);
        assert_eq!(admitted(&server, "5 1/s", 10), 5, "at {micros}");
        server.freeze(micros + 2 * SECOND + MARGIN);
        assert_eq!(admitted(&server, "5 1/s", 10), 2, "after {micros}");
        assert!(server.expires_at("k") > 0);
    }
}

#[test]
fn a_transaction_and_a_script_are_one_moment() {
    let server = Setup::with_module().start();
    let mut pipe = redis::pipe();
    pipe.atomic();
    for _ in 0..100 {
        pipe.cmd("RL.CHECK").arg(&["k", "10", "0.001"]);
    }
    let answers: Vec<Vec<i64>> = pipe.query(&mut server.connect()).expect("answers");
    assert_eq!(answers.iter().filter(|answer| answer[0] == 1).count(), 10);
    let script = "local n = 0; for i = 1, 100 do \
                  n = n + redis.call('RL.CHECK', KEYS[1], 10, '1/h')[1] end; return n";
    let mut eval = redis::cmd("EVAL");
    eval.arg(script).arg(1).arg("from-lua");
    assert_eq!(eval.query::<i64>(&mut server.connect()).expect("a count"), 10);
    let _: Value = server.run("PING");
}
