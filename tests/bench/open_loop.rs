//! Requests at a constant rate, whatever the server does.
//!
//! A request has a moment at which it is due. What it waits counts from then, also if every connection was still
//! busy with another: a server that stalls cannot hide the requests that it kept from being sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::call::Call;
use crate::load::Connection;

/// A load on 64 connections, of one thread.
pub(crate) struct OpenLoop<'a> {
    pub(crate) port: u16,
    pub(crate) call: &'a Call,
    pub(crate) keys: u32,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
}

/// What requests waited, in order, in microseconds.
pub(crate) struct Waits(Vec<f64>);

/// A connection, and when the request on it was due.
struct Line {
    connection: Connection,
    due: Option<Duration>,
}

const CONNECTIONS: usize = 64;

// === impl OpenLoop ===

impl OpenLoop<'_> {
    /// The first tenth is not counted. A server that is far behind is given as long again; what is not answered
    /// then has waited until then.
    pub(crate) fn run(&self) -> Waits {
        let connect = || Connection::open(self.port, self.call, 1);
        let line = || Line { connection: connect(), due: None };
        let mut lines: Vec<_> = std::iter::repeat_with(line).take(CONNECTIONS).collect();
        let mut free: Vec<_> = (0..CONNECTIONS).collect();
        let requests = (self.time.as_secs_f64() * self.rate) as u32;
        let due = |request: u32| Duration::from_secs_f64(f64::from(request) / self.rate);
        let mut coming: VecDeque<_> = (0..requests).map(due).collect();
        let mut random = fastrand::Rng::new();
        let mut waits = Waits(Vec::with_capacity(requests as usize));
        let start = Instant::now();
        while start.elapsed() < self.time * 2 && (!coming.is_empty() || free.len() < CONNECTIONS) {
            while let Some(due) =
                coming.pop_front_if(|due| !free.is_empty() && *due <= start.elapsed())
            {
                let line = &mut lines[free.pop().expect("a free connection")];
                line.due = Some(due);
                line.connection.send(|| random.u32(0..self.keys));
            }
            let next = coming.front().filter(|_| !free.is_empty());
            let next = next.map(|due| due.saturating_sub(start.elapsed()));
            for i in ready(&lines, next.unwrap_or(self.time)) {
                let line = &mut lines[i];
                line.connection.read();
                if line.connection.is_answered() {
                    waits.add(line.due.take(), start.elapsed(), self.time);
                    free.push(i);
                }
            }
        }
        let left = lines.iter().map(|line| line.due).chain(coming.into_iter().map(Some));
        left.for_each(|due| waits.add(due, start.elapsed(), self.time));
        waits.0.sort_by(f64::total_cmp);
        waits
    }
}

/// The lines on which something came, within this time.
fn ready(lines: &[Line], within: Duration) -> Vec<usize> {
    let within = Timespec::try_from(within).expect("a short time");
    let fds = lines.iter().map(|line| line.connection.fd());
    let mut watched: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    poll(&mut watched, Some(&within)).expect("to poll");
    let ready = watched.iter().enumerate().filter(|(_, it)| !it.revents().is_empty());
    ready.map(|(i, _)| i).collect()
}

// === impl Waits ===

impl Waits {
    fn add(&mut self, due: Option<Duration>, now: Duration, time: Duration) {
        if let Some(due) = due.filter(|due| *due >= time / 10) {
            self.0.push((now - due).as_secs_f64() * 1e6);
        }
    }

    /// What so large a part of the requests waited at most.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let rank = (self.0.len() as f64 * part).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::Waits;

    #[test]
    fn quantiles() {
        let waits = Waits((1..=200).map(f64::from).collect());
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|part| waits.quantile(part)),
            [1.0, 100.0, 198.0, 200.0]
        );
    }
}
