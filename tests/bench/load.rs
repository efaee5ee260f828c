//! A load that keeps a server busy: connections with full pipelines, asked in turn by one thread.
//!
//! There is no event loop. While the server works through the other connections, this thread waits for the
//! oldest answers and sends that connection's next batch: a read and a write for each batch, so that the
//! server and not the load is what is measured.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::call::{Call, PATIENCE};
use crate::cpu::cpu_time;
use crate::replies::Counter;
use crate::sample::Sample;

/// Who asks what.
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    pub(crate) call: &'a Call,
    pub(crate) keys: Keys<'a>,
    pub(crate) connections: usize,
    pub(crate) pipeline: usize,
}

/// The keys it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys<'a> {
    /// The first so many.
    First(u32),
    /// These.
    Of(&'a [u32]),
}

/// A connection with one batch in flight.
pub(crate) struct Connection {
    stream: TcpStream,
    batch: Call,
    pipeline: usize,
    sent: usize,
    counter: Counter,
    buffer: Vec<u8>,
}

/// Connections and calls in flight on each, for the rows on Redis.
const CONNECTIONS: usize = 50;
pub(crate) const PIPELINE: usize = 16;

// === impl Load ===

impl<'a> Load<'a> {
    /// Random keys out of so many, 50 connections, 16 calls in flight on each.
    pub(crate) fn new(port: u16, call: &'a Call, keys: u32) -> Self {
        let keys = Keys::First(keys);
        Self { port, call, keys, connections: CONNECTIONS, pipeline: PIPELINE }
    }

    /// Asks for this long after a warm-up: calls a second, and the CPU time a call that `server` took.
    pub(crate) fn run_for(&self, warm: Duration, measured: Duration, server: u32) -> Sample {
        let mut connections = self.connect();
        let mut random = fastrand::Rng::new();
        let mut round = |until: Instant| {
            let mut batches = 0;
            while Instant::now() < until {
                for connection in &mut connections {
                    connection.receive();
                    connection.send(|| self.keys.at(random.u32(0..self.keys.len())));
                    batches += 1;
                }
            }
            batches * self.pipeline
        };
        round(Instant::now() + warm);
        let (start, cpu) = (Instant::now(), cpu_time(&[server]));
        let calls = round(start + measured);
        let (seconds, cpu) = (start.elapsed(), cpu_time(&[server]).saturating_sub(cpu));
        connections.iter_mut().for_each(Connection::receive);
        let checks = calls as f64 * f64::from(self.call.checks());
        Sample::rate(checks, seconds).with_cpu(cpu, checks)
    }

    /// Makes this many calls, of random keys.
    pub(crate) fn run_calls(&self, calls: usize) {
        let mut random = fastrand::Rng::new();
        self.make(calls, || self.keys.at(random.u32(0..self.keys.len())));
    }

    /// Asks about every key once, in order.
    pub(crate) fn run_each_key(&self) {
        let mut key = 0;
        let calls = (self.keys.len() as usize).div_ceil(self.call.keys());
        self.make(calls, || {
            key += 1;
            self.keys.at((key - 1) % self.keys.len())
        });
    }

    /// Rounded up to whole batches.
    fn make(&self, calls: usize, mut next: impl FnMut() -> u32) {
        let mut connections = self.connect();
        let mut left = calls.div_ceil(self.pipeline);
        while left > 0 {
            for connection in connections.iter_mut().take(left.min(self.connections)) {
                connection.receive();
                connection.send(&mut next);
            }
            left = left.saturating_sub(self.connections);
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
            Self::First(count) => count,
            Self::Of(keys) => keys.len() as u32,
        }
    }

    fn at(self, i: u32) -> u32 {
        match self {
            Self::First(_) => i,
            Self::Of(keys) => keys[i as usize],
        }
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn open(port: u16, call: &Call, pipeline: usize) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let batch = call.times(pipeline);
        let counter = call.replies().counter();
        Self { stream, batch, pipeline, sent: 0, counter, buffer: vec![0; 64 * 1024] }
    }

    pub(crate) fn send(&mut self, next: impl FnMut() -> u32) {
        self.stream.write_all(self.batch.fill(next)).expect("to send");
        self.sent += self.pipeline;
    }

    /// Waits until all that was sent is answered.
    #[track_caller]
    pub(crate) fn receive(&mut self) {
        while !self.is_answered() {
            self.read();
        }
    }

    /// Waits until something comes.
    #[track_caller]
    pub(crate) fn read(&mut self) {
        let length = self.stream.read(&mut self.buffer).expect("an answer");
        assert!(length > 0, "the server closed a connection");
        self.counter.push(&self.buffer[..length]);
        assert!(self.counter.count() <= self.sent, "more answers than questions");
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.counter.count() == self.sent
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
