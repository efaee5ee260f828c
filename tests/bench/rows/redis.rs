//! The module's commands and the scripts, at a pipeline of 16, compared with Redis's own commands.
//!
//! Each variant has its own server, so that the data of one does not slow down another.

use rl_tests::{RedisServer, Setup};

use super::commands::{self, ALLOWED, load_buckets};
use crate::bench::{Bench, LEAN_REFERENCE, LEAN_SUBJECT, Plan, REFERENCE, SUBJECT, Variant};
use crate::call::{Call, KEY};
use crate::load::Load;
use crate::redis_benchmark;
use crate::sample::Sample;

const KEYS: u32 = 100_000;

/// Compares `RL.CHECK` with `INCR`, on keys that exist.
pub(crate) fn check(bench: &mut Bench, row: &str, keys: u32) {
    against_incr(bench, row, &commands::check(), ALLOWED, keys);
}

/// Compares `RL.CHECK` of short-lived buckets with `INCR`. The buckets are full again at once and
/// expire after a second, so that every other check creates one.
pub(crate) fn short_lived(bench: &mut Bench, row: &str) {
    let call = Call::redis(&format!("RL.CHECK {KEY} {0} {0}", commands::CAPACITY), 6);
    against_incr(bench, row, &call, ALLOWED, KEYS);
}

/// Compares `RL.MCHECK` of 16 with `INCR`.
pub(crate) fn mcheck(bench: &mut Bench, row: &str) {
    against_incr(bench, row, &commands::mcheck(), "*80\r\n:1\r\n:1000000\r\n", KEYS);
}

/// Compares checks of one hot key with checks of many keys.
pub(crate) fn hot(bench: &mut Bench, row: &str) {
    let call = Call::redis(&format!("RL.CHECK {KEY} 1000000000 {}", commands::RATE), 6);
    let (many, one) = (Setup::with_module().start(), Setup::with_module().start());
    load_buckets(&many, KEYS);
    call.assert_reply(one.port(), "*5\r\n:1\r\n:1000000000\r\n");
    let mut reference = measurement(bench.plan, &many, &call, KEYS);
    let mut subject = measurement(bench.plan, &one, &call, 1);
    bench.compare(row, &mut reference, &mut subject);
}

/// Compares `RL.PEEK` with `GET` of a value of the same size.
pub(crate) fn peek(bench: &mut Bench, row: &str) {
    let (plain, with_module) = (Setup::plain().start(), Setup::with_module().start());
    Load::new(plain.port(), &commands::set_px(), KEYS).run_each_key();
    load_buckets(&with_module, KEYS);
    let (get, peek) = (commands::get(), commands::peek());
    get.assert_reply(plain.port(), commands::VALUE);
    peek.assert_reply(with_module.port(), ALLOWED);
    by_both_clients(bench, row, (&plain, &get), (&with_module, &peek), KEYS);
}

/// Compares the check script with a plain Lua bucket.
pub(crate) fn lua_check(bench: &mut Bench, row: &str) {
    against_plain_lua(bench, row, commands::lua_check, ALLOWED);
}

/// Compares the batch script, with 16 checks, with a plain Lua bucket.
pub(crate) fn lua_mcheck(bench: &mut Bench, row: &str) {
    against_plain_lua(bench, row, commands::lua_mcheck, "*80\r\n:1\r\n:1000000\r\n");
}

fn against_incr(bench: &mut Bench, row: &str, call: &Call, reply: &str, keys: u32) {
    let (plain, with_module) = (Setup::plain().start(), Setup::with_module().start());
    let incr = commands::incr();
    Load::new(plain.port(), &incr, keys).run_each_key();
    load_buckets(&with_module, keys);
    incr.assert_reply(plain.port(), ":2\r\n");
    call.assert_reply(with_module.port(), reply);
    by_both_clients(bench, row, (&plain, &incr), (&with_module, call), keys);
}

/// Measures with `redis-benchmark`, and with our own client, which uses so little CPU time that the
/// server is the bottleneck.
fn by_both_clients(
    bench: &mut Bench,
    row: &str,
    (plain, reference): (&RedisServer, &Call),
    (with_module, subject): (&RedisServer, &Call),
    keys: u32,
) {
    let time = bench.plan.measure_time;
    let mut lean_reference = measurement(bench.plan, plain, reference, keys);
    let mut lean_subject = measurement(bench.plan, with_module, subject, keys);
    let variants: &mut [Variant<'_>] = &mut [
        (REFERENCE, &mut || redis_benchmark::run(plain, reference, keys, time)),
        (SUBJECT, &mut || redis_benchmark::run(with_module, subject, keys, time)),
        (LEAN_REFERENCE, &mut lean_reference),
        (LEAN_SUBJECT, &mut lean_subject),
    ];
    bench.interleave(row, variants);
}

fn against_plain_lua(bench: &mut Bench, row: &str, call: fn(&RedisServer) -> Call, reply: &str) {
    let (plain, ours) = (Setup::plain().start(), Setup::plain().start());
    let (reference, subject) = (commands::plain_lua(&plain), call(&ours));
    Load::new(plain.port(), &reference, KEYS).run_each_key();
    load_buckets(&ours, KEYS);
    reference.assert_reply(plain.port(), "*2\r\n:1\r\n:99999");
    subject.assert_reply(ours.port(), reply);
    let mut reference = measurement(bench.plan, &plain, &reference, KEYS);
    let mut subject = measurement(bench.plan, &ours, &subject, KEYS);
    bench.compare(row, &mut reference, &mut subject);
}

/// A repeatable measurement of one call on one server.
fn measurement<'a>(
    plan: Plan,
    server: &'a RedisServer,
    call: &'a Call,
    keys: u32,
) -> impl FnMut() -> Sample + 'a {
    move || {
        Load::new(server.port(), call, keys).run_for(
            plan.warm_up_time,
            plan.measure_time,
            server.pid(),
        )
    }
}
