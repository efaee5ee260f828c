//! A link to a local server with a latency, to measure over: `slow_link PORT MICROSECONDS`.
//!
//! Prints the port to connect to, and runs until it is killed. Latency is added in each direction.

use std::time::Duration;
use std::{env, thread};

use rl_tests::{Fault, FaultProxy};

fn main() {
    let args: Vec<u64> = env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let [port, micros] = args[..] else { panic!("usage: slow_link PORT MICROSECONDS") };
    let proxy = FaultProxy::start(port.try_into().expect("a port"));
    let each_way = Duration::from_micros(micros);
    proxy.set(Fault::Latency { each_way, jitter: Duration::ZERO });
    println!("{}", proxy.port());
    loop {
        thread::park();
    }
}
