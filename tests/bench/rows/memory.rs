//! The memory that a key takes in Redis, as Redis reports it.

use rl_tests::{RedisServer, Setup};

use super::commands::{load_buckets, set_px};
use crate::bench::{Bench, REFERENCE, SUBJECT};
use crate::load::Load;
use crate::sample::Sample;

const KEYS: u32 = 1_000_000;

/// Compares a bucket with a string of 25 bytes that expires.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let bytes = |setup: Setup, load: &dyn Fn(&RedisServer)| {
        let server = setup.start();
        let before = used_memory(&server);
        load(&server);
        assert_eq!(server.run::<u32>("DBSIZE"), KEYS);
        Sample::of((used_memory(&server) - before) as f64 / f64::from(KEYS), "bytes")
    };
    let strings = |server: &RedisServer| Load::new(server.port(), &set_px(), KEYS).run_each_key();
    bench.note(row, REFERENCE, bytes(Setup::plain(), &strings));
    let buckets = |server: &RedisServer| load_buckets(server, KEYS);
    bench.note(row, SUBJECT, bytes(Setup::with_module(), &buckets));
}

fn used_memory(server: &RedisServer) -> i64 {
    server.info("used_memory").parse().expect("a number")
}
