//! Redis Cluster: the cost of a check as keys are spread over more nodes.
//!
//! Nodes that share two cores with the load cannot show that throughput grows. They can show that a
//! check costs no more in a cluster: the server CPU per check, summed over the nodes.

use std::thread;
use std::time::Duration;

use rl_tests::{RedisServer, Setup, eventually};

use super::commands::{ALLOWED, check, drain};
use crate::bench::{Bench, Plan};
use crate::call::key;
use crate::load::{Keys, Load};
use crate::sample::Sample;

const KEYS: u32 = 100_000;
const SLOTS: usize = 16_384;
const CONNECTIONS: usize = 48;

/// Nodes that share the slots equally, and the keys of each.
struct Cluster(Vec<(RedisServer, Vec<u32>)>);

/// Compares clusters of one, two and three nodes.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    // In parallel, since a start consists mostly of waiting until the nodes know each other.
    let clusters = thread::scope(|scope| {
        let threads = [1, 2, 3].map(|nodes| scope.spawn(move || Cluster::start(nodes)));
        threads.map(|thread| thread.join().expect("a cluster"))
    });
    let plan = bench.plan;
    let [mut one, mut two, mut three] = clusters.each_ref().map(|it| move || it.measure(plan));
    let variants = &mut [
        ("1 node", &mut one as &mut dyn FnMut() -> Sample),
        ("2 nodes", &mut two),
        ("3 nodes", &mut three),
    ];
    bench.interleave(row, variants);
}

// === impl Cluster ===

impl Cluster {
    fn start(nodes: usize) -> Self {
        let slots_per_node = SLOTS.div_ceil(nodes);
        let setup = || Setup::with_module().option(&["cluster-enabled", "yes"]);
        let servers: Vec<_> = (0..nodes).map(|_| setup().start()).collect();
        for (i, server) in servers.iter().enumerate() {
            let (first, last) = (i * slots_per_node, ((i + 1) * slots_per_node).min(SLOTS) - 1);
            server.run::<()>(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
            server.run::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", i + 1));
        }
        for server in &servers[1..] {
            servers[0].run::<()>(&format!("CLUSTER MEET 127.0.0.1 {}", server.port()));
        }
        eventually("the cluster is up", Duration::from_secs(30), || {
            servers.iter().all(|server| {
                let info: String = server.run("CLUSTER INFO");
                let known_nodes = format!("cluster_known_nodes:{nodes}\r\n");
                info.contains("cluster_state:ok") && info.contains(&known_nodes)
            })
        });
        let mut keys = vec![Vec::new(); nodes];
        for number in 0..KEYS {
            keys[slot(key(number).as_bytes()) / slots_per_node].push(number);
        }
        let cluster = Self(servers.into_iter().zip(keys).collect());
        for (server, keys) in &cluster.0 {
            let drain = drain();
            let load = Load { keys: Keys::List(keys), ..Load::new(server.port(), &drain, KEYS) };
            load.run_each_key();
            let peek: Vec<i64> = server.run(&format!("RL.PEEK {} 1000000 1000", key(keys[0])));
            assert_eq!(peek.first(), Some(&1), "{ALLOWED:?}");
        }
        cluster
    }

    /// Runs a load on every node at the same time, each with the node's own keys.
    fn measure(&self, plan: Plan) -> Sample {
        let connections = CONNECTIONS / self.0.len();
        let run_load = |(server, keys): &(RedisServer, Vec<u32>)| {
            let call = check();
            let load = Load::new(server.port(), &call, KEYS);
            Load { keys: Keys::List(keys), connections, ..load }.run_for(
                plan.warm_up_time,
                plan.measure_time,
                server.pid(),
            )
        };
        let samples: Vec<Sample> = thread::scope(|scope| {
            let threads: Vec<_> =
                self.0.iter().map(|node| scope.spawn(move || run_load(node))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a load")).collect()
        });
        let value: f64 = samples.iter().map(|it| it.value).sum();
        let cpu = samples.iter().map(|it| it.value * it.cpu_us.unwrap_or_default());
        Sample { value, cpu_us: Some(cpu.sum::<f64>() / value), ..samples[0] }
    }
}

/// The slot of a key without a `{tag}`: CRC16 (XMODEM) modulo the number of slots.
fn slot(key: &[u8]) -> usize {
    let crc = key.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    usize::from(crc) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::slot;

    #[test]
    fn slots_equal_those_of_redis() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"a"), 15495);
        assert_eq!(slot(b"b"), 3300);
    }
}
