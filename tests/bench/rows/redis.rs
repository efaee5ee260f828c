//! Redis itself: the module's commands and the scripts, at a pipeline of 16, against Redis's own commands.
//!
//! Each side has a server of its own, so that neither's data crowds the other's.

use rl_tests::{RedisServer, Setup};

use super::stores::{self, ALLOWED, load_buckets};
use crate::bench::{Bench, LEAN_REFERENCE, LEAN_SUBJECT, Plan, REFERENCE, SUBJECT, Side};
use crate::call::{Call, KEY};
use crate::load::Load;
use crate::redis_benchmark;
use crate::sample::Sample;

const KEYS: u32 = 100_000;

/// `RL.CHECK` against `INCR`, every key there before.
pub(crate) fn check(bench: &mut Bench, row: &str, keys: u32) {
    against_incr(bench, row, &stores::check(), ALLOWED, keys);
}

/// The same where buckets are full at once: they expire after a second, and every other check makes one anew.
pub(crate) fn short_lived(bench: &mut Bench, row: &str) {
    let call = Call::redis(&format!("RL.CHECK {KEY} {0} {0}", stores::CAPACITY), 6);
    against_incr(bench, row, &call, ALLOWED, KEYS);
}

/// `RL.MCHECK` of 16.
pub(crate) fn mcheck(bench: &mut Bench, row: &str) {
    against_incr(bench, row, &stores::mcheck(), "*80\r\n:1\r\n:1000000\r\n", KEYS);
}

/// All checks on one key, against many keys.
pub(crate) fn hot(bench: &mut Bench, row: &str) {
    let call = Call::redis(&format!("RL.CHECK {KEY} 1000000000 {}", stores::RATE), 6);
    let (many, one) = (Setup::with_module().start(), Setup::with_module().start());
    load_buckets(&many, KEYS);
    call.must_answer(one.port(), "*5\r\n:1\r\n:1000000000\r\n");
    let mut reference = measured(bench.plan, &many, &call, KEYS);
    let mut subject = measured(bench.plan, &one, &call, 1);
    bench.compare(row, &mut reference, &mut subject);
}

/// `RL.PEEK` against `GET` of as many bytes.
pub(crate) fn peek(bench: &mut Bench, row: &str) {
    let (plain, with_module) = (Setup::plain().start(), Setup::with_module().start());
    Load::new(plain.port(), &stores::set_px(), KEYS).run_each_key();
    load_buckets(&with_module, KEYS);
    let (get, peek) = (stores::get(), stores::peek());
    get.must_answer(plain.port(), stores::VALUE);
    peek.must_answer(with_module.port(), ALLOWED);
    by_both_clients(bench, row, (&plain, &get), (&with_module, &peek), KEYS);
}

/// The check script against a plain one.
pub(crate) fn lua_check(bench: &mut Bench, row: &str) {
    against_plain_lua(bench, row, stores::lua_check, ALLOWED);
}

/// The script that checks 16 at once.
pub(crate) fn lua_mcheck(bench: &mut Bench, row: &str) {
    against_plain_lua(bench, row, stores::lua_mcheck, "*80\r\n:1\r\n:1000000\r\n");
}

fn against_incr(bench: &mut Bench, row: &str, call: &Call, answer: &str, keys: u32) {
    let (plain, with_module) = (Setup::plain().start(), Setup::with_module().start());
    let incr = stores::incr();
    Load::new(plain.port(), &incr, keys).run_each_key();
    load_buckets(&with_module, keys);
    incr.must_answer(plain.port(), ":2\r\n");
    call.must_answer(with_module.port(), answer);
    by_both_clients(bench, row, (&plain, &incr), (&with_module, call), keys);
}

/// By `redis-benchmark`, and by a client that costs next to nothing, so that the server alone is busy.
fn by_both_clients(
    bench: &mut Bench,
    row: &str,
    (plain, reference): (&RedisServer, &Call),
    (with_module, subject): (&RedisServer, &Call),
    keys: u32,
) {
    let time = bench.plan.measured;
    let mut lean_reference = measured(bench.plan, plain, reference, keys);
    let mut lean_subject = measured(bench.plan, with_module, subject, keys);
    let sides: &mut [Side<'_>] = &mut [
        (REFERENCE, &mut || redis_benchmark::run(plain, reference, keys, time)),
        (SUBJECT, &mut || redis_benchmark::run(with_module, subject, keys, time)),
        (LEAN_REFERENCE, &mut lean_reference),
        (LEAN_SUBJECT, &mut lean_subject),
    ];
    bench.interleave(row, sides);
}

fn against_plain_lua(bench: &mut Bench, row: &str, call: fn(&RedisServer) -> Call, answer: &str) {
    let (plain, ours) = (Setup::plain().start(), Setup::plain().start());
    let (reference, subject) = (stores::plain_lua(&plain), call(&ours));
    Load::new(plain.port(), &reference, KEYS).run_each_key();
    load_buckets(&ours, KEYS);
    reference.must_answer(plain.port(), "*2\r\n:1\r\n:99999");
    subject.must_answer(ours.port(), answer);
    let mut reference = measured(bench.plan, &plain, &reference, KEYS);
    let mut subject = measured(bench.plan, &ours, &subject, KEYS);
    bench.compare(row, &mut reference, &mut subject);
}

/// A measurement of one call on one server, to be taken again and again.
fn measured<'a>(
    plan: Plan,
    server: &'a RedisServer,
    call: &'a Call,
    keys: u32,
) -> impl FnMut() -> Sample + 'a {
    move || Load::new(server.port(), call, keys).run_for(plan.warm, plan.measured, server.pid())
}
