//! A load that keeps a server busy: connections with full pipelines, served in turn by one thread.
//!
//! There is no event loop. While the server works through the other connections, the thread waits
//! for the oldest replies and sends that connection's next batch. A batch takes one read and one
//! write, so the bottleneck is the server and not the load.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::call::{Call, READ_TIMEOUT};
use crate::cpu::cpu_time;
use crate::reply_counter::ReplyCounter;
use crate::sample::Sample;

/// A load: a call, its keys, and the connections it is sent on.
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    pub(crate) call: &'a Call,
    pub(crate) keys: Keys<'a>,
    pub(crate) connections: usize,
    pub(crate) pipeline: usize,
}

/// The keys of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a> {
    /// The keys numbered from 0 up to this number, exclusive.
    Range(u32),
    /// These keys.
    List(&'a [u32]),
}

/// A connection with one batch in flight.
pub(crate) struct Connection {
    stream: TcpStream,
    batch: Call,
    pipeline: usize,
    sent: usize,
    counter: ReplyCounter,
    buffer: Vec<u8>,
}

/// The number of connections, and of calls in flight on each, for the rows on Redis.
const CONNECTIONS: usize = 50;
pub(crate) const PIPELINE: usize = 16;

// === impl Load ===

impl<'a> Load<'a> {
    /// A load of random keys out of `keys`, with 50 connections and 16 calls in flight on each.
    pub(crate) fn new(port: u16, call: &'a Call, keys: u32) -> Self {
        let keys = Keys::Range(keys);
        Self { port, call, keys, connections: CONNECTIONS, pipeline: PIPELINE }
    }

    /// Runs the load for `measure_time` after a warm-up; the checks a second, and the CPU time per
    /// check of the process `server`.
    pub(crate) fn run_for(
        &self,
        warm_up_time: Duration,
        measure_time: Duration,
        server: u32,
    ) -> Sample {
        let mut connections = self.connect();
        let mut rng = fastrand::Rng::new();
        let mut send_until = |end: Instant| {
            let mut batches = 0;
            while Instant::now() < end {
                for connection in &mut connections {
                    connection.receive();
                    connection.send(|| self.keys.at(rng.u32(0..self.keys.len())));
                    batches += 1;
                }
            }
            batches * self.pipeline
        };
        send_until(Instant::now() + warm_up_time);
        let (start, cpu) = (Instant::now(), cpu_time(&[server]));
        let calls = send_until(start + measure_time);
        let (elapsed, cpu) = (start.elapsed(), cpu_time(&[server]).saturating_sub(cpu));
        connections.iter_mut().for_each(Connection::receive);
        let checks = calls as f64 * f64::from(self.call.checks());
        Sample::rate(checks, elapsed).with_cpu(cpu, checks)
    }

    /// Makes this many calls, with random keys.
    pub(crate) fn run_calls(&self, calls: usize) {
        let mut rng = fastrand::Rng::new();
        self.send_calls(calls, || self.keys.at(rng.u32(0..self.keys.len())));
    }

    /// Uses every key once, in order.
    pub(crate) fn run_each_key(&self) {
        let mut key = 0;
        let calls = (self.keys.len() as usize).div_ceil(self.call.keys());
        self.send_calls(calls, || {
            key += 1;
            self.keys.at((key - 1) % self.keys.len())
        });
    }

    /// Sends this many calls, rounded up to whole batches, and waits for the replies.
    fn send_calls(&self, calls: usize, mut next_key: impl FnMut() -> u32) {
        let mut connections = self.connect();
        let mut batches_left = calls.div_ceil(self.pipeline);
        while batches_left > 0 {
            for connection in connections.iter_mut().take(batches_left.min(self.connections)) {
                connection.receive();
                connection.send(&mut next_key);
            }
            batches_left = batches_left.saturating_sub(self.connections);
        }
        connections.iter_mut().for_each(Connection::receive);
    }

    fn connect(&self) -> Vec<Connection> {
        let connect = || Connection::open(self.port, self.call, self.pipeline);
        std::iter::repeat_with(connect).take(self.connections).collect()
    }
}

// === impl Keys ===

impl Keys<'_> {
    fn len(self) -> u32 {
        match self {
            Self::Range(count) => count,
            Self::List(keys) => keys.len() as u32,
        }
    }

    fn at(self, i: u32) -> u32 {
        match self {
            Self::Range(_) => i,
            Self::List(keys) => keys[i as usize],
        }
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn open(port: u16, call: &Call, pipeline: usize) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a time limit");
        let batch = call.repeat(pipeline);
        let counter = call.reply_format().counter();
        Self { stream, batch, pipeline, sent: 0, counter, buffer: vec![0; 64 * 1024] }
    }

    pub(crate) fn send(&mut self, next_key: impl FnMut() -> u32) {
        self.stream.write_all(self.batch.fill(next_key)).expect("to send");
        self.sent += self.pipeline;
    }

    /// Waits until every call is answered.
    #[track_caller]
    pub(crate) fn receive(&mut self) {
        while !self.is_answered() {
            self.read();
        }
    }

    /// Waits for bytes and counts the replies in them.
    #[track_caller]
    pub(crate) fn read(&mut self) {
        let length = self.stream.read(&mut self.buffer).expect("a reply");
        assert!(length > 0, "the server closed a connection");
        self.counter.push(&self.buffer[..length]);
        assert!(self.counter.count() <= self.sent, "more replies than calls");
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.counter.count() == self.sent
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
