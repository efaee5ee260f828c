//! The commands that the rows send, and the buckets that they use.

use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::RedisServer;

use crate::call::{Call, KEY};
use crate::load::Load;

/// The limit of most rows. No check is denied under it while they run.
pub(crate) const CAPACITY: &str = "1000000";
pub(crate) const RATE: &str = "1000";
/// The tokens taken from each bucket beforehand, so that it is full, and may expire, only minutes
/// later.
const TAKEN: &str = "500000";
/// The start of the reply to a check that is allowed.
pub(crate) const ALLOWED: &str = "*5\r\n:1\r\n:1000000\r\n";
/// The number of checks in one call of the rows that batch.
pub(crate) const BATCH: usize = 16;

/// A check of cost 1.
pub(crate) fn check() -> Call {
    Call::redis(&format!("RL.CHECK {KEY} {CAPACITY} {RATE}"), 6)
}

/// A check of half the capacity.
pub(crate) fn drain() -> Call {
    Call::redis(&format!("RL.CHECK {KEY} {CAPACITY} {RATE} {TAKEN}"), 6)
}

pub(crate) fn peek() -> Call {
    Call::redis(&format!("RL.PEEK {KEY} {CAPACITY} {RATE}"), 6)
}

pub(crate) fn mcheck() -> Call {
    let checks = format!(" {KEY} {CAPACITY} {RATE} 1").repeat(BATCH);
    Call::redis(&format!("RL.MCHECK{checks}"), 1 + 5 * BATCH).of_checks(BATCH as u32)
}

pub(crate) fn incr() -> Call {
    Call::redis(&format!("INCR {KEY}"), 1)
}

/// A value of the size of a bucket's state.
pub(crate) const VALUE: &str = "0123456789012345678901234";

pub(crate) fn set_px() -> Call {
    Call::redis(&format!("SET {KEY} {VALUE} PX 500000"), 1)
}

pub(crate) fn set_ex() -> Call {
    Call::redis(&format!("SET {KEY} {VALUE} EX 500"), 1)
}

pub(crate) fn get() -> Call {
    Call::redis(&format!("GET {KEY}"), 2)
}

/// The scripts of the front, and the plain one that they are compared with.
pub(crate) fn lua_check(server: &RedisServer) -> Call {
    let sha = load_script(server, COMMANDS[CommandKind::Check as usize].script);
    Call::redis(&format!("EVALSHA {sha} 1 {KEY} {CAPACITY} {RATE} 1"), 6)
}

pub(crate) fn lua_mcheck(server: &RedisServer) -> Call {
    let sha = load_script(server, COMMANDS[CommandKind::MCheck as usize].script);
    let keys = format!(" {KEY}").repeat(BATCH);
    let numbers = format!(" {CAPACITY} {RATE} 1").repeat(BATCH);
    let words = format!("EVALSHA {sha} {BATCH}{keys}{numbers}");
    Call::redis(&words, 1 + 5 * BATCH).of_checks(BATCH as u32)
}

pub(crate) fn plain_lua(server: &RedisServer) -> Call {
    let sha = load_script(server, include_str!("../plain.lua"));
    Call::redis(&format!("EVALSHA {sha} 1 {KEY} {CAPACITY} {RATE} 1"), 3)
}

fn load_script(server: &RedisServer, script: &str) -> String {
    let load = redis::cmd("SCRIPT").arg("LOAD").arg(script).query(&mut server.connect());
    load.expect("a script")
}

/// Creates `keys` buckets that are half empty, with the module or with the script.
pub(crate) fn load_buckets(server: &RedisServer, keys: u32) {
    let module = server.try_run::<redis::Value>("RL.PEEK probe 1 1").is_ok();
    let call = if module {
        drain()
    } else {
        let sha = load_script(server, COMMANDS[CommandKind::Check as usize].script);
        Call::redis(&format!("EVALSHA {sha} 1 {KEY} {CAPACITY} {RATE} {TAKEN}"), 6)
    };
    Load::new(server.port(), &call, keys).run_each_key();
}
