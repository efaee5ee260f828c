//! A million calls on each path leave memory flat and no keys behind.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rl_store::redis::{COMMANDS, CommandKind};
use rl_tests::{RedisServer, Setup, eventually};

const CALLS: usize = 1_000_000;
const BATCH: usize = 1_000;

/// Sends one command over and over, and waits for the replies to each batch.
struct Pump {
    stream: TcpStream,
    batch: Vec<u8>,
    buffer: Vec<u8>,
}

const MARK: &[u8] = b"$8\r\nend-mark\r\n";

// === impl Pump ===

impl Pump {
    fn new(server: &RedisServer, words: &[&str]) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        let mut one = redis::cmd(words[0]);
        one.arg(&words[1..]);
        let mut batch = one.get_packed_command().repeat(BATCH);
        batch.extend(redis::cmd("ECHO").arg("end-mark").get_packed_command());
        Self { stream, batch, buffer: vec![0; 1 << 20] }
    }

    fn run(&mut self, calls: usize) {
        for _ in 0..calls / BATCH {
            self.stream.write_all(&self.batch).expect("to send");
            let mut tail: Vec<u8> = Vec::new();
            while !tail.ends_with(MARK) {
                let read = match self.stream.read(&mut self.buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read.expect("an answer"),
                };
                assert!(read > 0, "the server closed the connection");
                tail.extend(&self.buffer[..read]);
                let keep = tail.len().min(MARK.len());
                tail.drain(..tail.len() - keep);
            }
        }
    }
}

fn memory(server: &RedisServer, field: &str) -> i64 {
    server.info(field).parse().expect("bytes")
}

/// Runs `calls` of each command and compares memory before and after.
fn endures(server: &RedisServer, paths: &[&[&str]], calls: usize) {
    for words in paths {
        let mut pump = Pump::new(server, words);
        pump.run(calls / 20); // buffers grow to their size, keys are made
        let before = (memory(server, "used_memory"), memory(server, "used_memory_rss"));
        pump.run(calls);
        let after = (memory(server, "used_memory"), memory(server, "used_memory_rss"));
        // A leak of one byte a call would be a megabyte.
        assert!(after.0 - before.0 < 256 << 10, "{words:?}: {} bytes more", after.0 - before.0);
        assert!(after.1 - before.1 < 8 << 20, "{words:?}: RSS {} bytes more", after.1 - before.1);
    }
    server.run::<i64>("RL.RESET dry text");
    server.run::<i64>("DEL text");
    eventually("full buckets are gone", Duration::from_secs(30), || {
        server.run::<i64>("DBSIZE") == 0
    });
}

#[test]
fn in_the_module() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    server.run::<[i64; 5]>("RL.CHECK dry 1 0.000001 1");
    let plenty = ["1000000000", "1000000000", "1"];
    let [capacity, rate, cost] = plenty;
    endures(
        &server,
        &[
            &["RL.CHECK", "a", capacity, rate, cost],
            &["RL.CHECK", "dry", "1", "0.000001", "1"],
            &["RL.CHECK", "text", "1", "1", "1"],
            &["RL.CHECK", "a", "x", "1", "1"],
            &["RL.PEEK", "a", capacity, rate, cost],
            &["RL.MCHECK", "a", capacity, rate, cost],
            &["RL.CHECKALL", "a", capacity, rate, cost],
            &["RL.TAKE", "a", capacity, rate, cost],
            &["RL.CHARGE", "a", capacity, rate, cost],
            &["RL.REFUND", "a", capacity, rate, cost],
            &["RL.RESET", "missing"],
        ],
        CALLS,
    );
}

#[test]
fn in_lua() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    server.run::<[i64; 5]>("RL.CHECK dry 1 0.000001 1");
    let mut load = redis::cmd("SCRIPT");
    load.arg("LOAD").arg(COMMANDS[CommandKind::Check as usize].script);
    let check: String = load.query(&mut server.connect()).expect("a name");
    endures(
        &server,
        &[
            &["EVALSHA", &check, "1", "a", "1000000000", "1000000000", "1"],
            &["EVALSHA", &check, "1", "dry", "1", "0.000001", "1"],
        ],
        CALLS,
    );
}
