//! Requests at a constant rate, whatever the server does.
//!
//! A request has a moment at which it should be sent. What it waits counts from then, also if its connection was
//! still busy with another: a server that stalls cannot hide the requests that it kept from being sent.

use std::thread;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::load::Connection;

/// A load on 64 connections.
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

const CONNECTIONS: u32 = 64;

// === impl OpenLoop ===

impl OpenLoop<'_> {
    /// The first tenth is not counted.
    pub(crate) fn run(&self) -> Waits {
        // All are connected by then.
        let start = Instant::now() + Duration::from_millis(50);
        let mut waits: Vec<f64> = thread::scope(|scope| {
            let ask = |i| scope.spawn(move || self.ask(start, i));
            let asked: Vec<_> = (0..CONNECTIONS).map(ask).collect();
            asked.into_iter().flat_map(|it| it.join().expect("a connection")).collect()
        });
        waits.sort_by(f64::total_cmp);
        Waits(waits)
    }

    /// Every 64th request, from the one with this number on.
    fn ask(&self, start: Instant, first: u32) -> Vec<f64> {
        let mut connection = Connection::open(self.port, self.call, 1);
        let mut random = fastrand::Rng::new();
        let (mut waits, mut number) = (Vec::new(), first);
        loop {
            let after = Duration::from_secs_f64(f64::from(number) / self.rate);
            if after >= self.time {
                return waits;
            }
            let due = start + after;
            // When the server is far behind, the rest is taken for as late as it is already.
            if start.elapsed() < self.time * 2 {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                connection.send(|| random.u32(0..self.keys));
                connection.receive();
            }
            if after >= self.time / 10 {
                waits.push(due.elapsed().as_secs_f64() * 1e6);
            }
            number += CONNECTIONS;
        }
    }
}

// === impl Waits ===

impl Waits {
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
