//! Replies of a server, cut, mixed and mutated, with callers that wait for them: no bytes panic, and
//! no caller gets the reply of another.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| rl_store::redis::fuzzing::replies(data));
