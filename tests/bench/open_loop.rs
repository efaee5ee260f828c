//! A load of constant rate, whatever the server does.
//!
//! Each request is due at a fixed time, and its latency is counted from then, even if every
//! connection was still busy with another request. So a server that stalls cannot hide the requests
//! that its stall delayed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::call::Call;
use crate::load::Connection;

/// A load of one thread on 64 connections.
pub(crate) struct OpenLoop<'a> {
    pub(crate) port: u16,
    pub(crate) call: &'a Call,
    pub(crate) keys: u32,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
}

/// The latencies of requests, sorted, in microseconds.
pub(crate) struct Latencies(Vec<f64>);

/// A connection, and the due time of the request in flight on it.
struct Client {
    connection: Connection,
    due: Option<Duration>,
}

const CONNECTIONS: usize = 64;

// === impl OpenLoop ===

impl OpenLoop<'_> {
    /// Runs the load. The first tenth of it is not counted. A server that is behind at the end gets
    /// the same time again; the latency of requests still unanswered then is the time until then.
    pub(crate) fn run(&self) -> Latencies {
        let connect = || Connection::open(self.port, self.call, 1);
        let client = || Client { connection: connect(), due: None };
        let mut clients: Vec<_> = std::iter::repeat_with(client).take(CONNECTIONS).collect();
        let mut free: Vec<_> = (0..CONNECTIONS).collect();
        let requests = (self.time.as_secs_f64() * self.rate) as u32;
        let due = |request: u32| Duration::from_secs_f64(f64::from(request) / self.rate);
        let mut schedule: VecDeque<_> = (0..requests).map(due).collect();
        let mut rng = fastrand::Rng::new();
        let mut latencies = Latencies(Vec::with_capacity(requests as usize));
        let start = Instant::now();
        while start.elapsed() < self.time * 2 && (!schedule.is_empty() || free.len() < CONNECTIONS)
        {
            while let Some(due) =
                schedule.pop_front_if(|due| !free.is_empty() && *due <= start.elapsed())
            {
                let client = &mut clients[free.pop().expect("a free connection")];
                client.due = Some(due);
                client.connection.send(|| rng.u32(0..self.keys));
            }
            let next = schedule.front().filter(|_| !free.is_empty());
            let next = next.map(|due| due.saturating_sub(start.elapsed()));
            for i in poll_readable(&clients, next.unwrap_or(self.time)) {
                let client = &mut clients[i];
                client.connection.read();
                if client.connection.is_answered() {
                    latencies.add(client.due.take(), start.elapsed(), self.time);
                    free.push(i);
                }
            }
        }
        let in_flight = clients.iter().map(|client| client.due);
        let unanswered = in_flight.chain(schedule.into_iter().map(Some));
        unanswered.for_each(|due| latencies.add(due, start.elapsed(), self.time));
        latencies.0.sort_by(f64::total_cmp);
        latencies
    }
}

/// Waits up to `timeout` for bytes, and returns the indices of the clients that have some.
fn poll_readable(clients: &[Client], timeout: Duration) -> Vec<usize> {
    let timeout = Timespec::try_from(timeout).expect("a short time");
    let fds = clients.iter().map(|client| client.connection.fd());
    let mut polled: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    poll(&mut polled, Some(&timeout)).expect("to poll");
    let readable = polled.iter().enumerate().filter(|(_, it)| !it.revents().is_empty());
    readable.map(|(i, _)| i).collect()
}

// === impl Latencies ===

impl Latencies {
    fn add(&mut self, due: Option<Duration>, now: Duration, time: Duration) {
        if let Some(due) = due.filter(|due| *due >= time / 10) {
            self.0.push((now - due).as_secs_f64() * 1e6);
        }
    }

    /// The latency that this fraction of the requests did not exceed.
    pub(crate) fn quantile(&self, fraction: f64) -> f64 {
        let rank = (self.0.len() as f64 * fraction).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::Latencies;

    #[test]
    fn a_quantile_is_the_value_at_its_rank() {
        let latencies = Latencies((1..=200).map(f64::from).collect());
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|fraction| latencies.quantile(fraction)),
            [1.0, 100.0, 198.0, 200.0]
        );
    }
}
