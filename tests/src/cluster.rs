//! A Redis Cluster that a test owns.

use std::thread;
use std::time::Duration;

use redis::Value;

use crate::{RedisServer, Setup, eventually};

/// Primaries that share the slots, with or without replicas; killed when dropped.
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

const SLOTS: usize = 16_384;
const TIMEOUT: Duration = Duration::from_secs(60);

// === impl Cluster ===

impl Cluster {
    /// Starts this many primaries, each with a replica if `replicas` is set. A node that does not
    /// answer for a second counts as down.
    pub fn start(setup: impl Fn() -> Setup + Sync, primaries: usize, replicas: bool) -> Self {
        let count = primaries * if replicas { 2 } else { 1 };
        Self::start_each(|_| setup(), primaries, count)
    }

    /// Starts `count` nodes, each with its own setup. The first `primaries` of them are primaries,
    /// the others their replicas.
    pub fn start_each(
        setup: impl Fn(usize) -> Setup + Sync,
        primaries: usize,
        count: usize,
    ) -> Self {
        let start = |node: usize| {
            let setup = setup(node).option(&["cluster-enabled", "yes"]);
            setup.option(&["cluster-node-timeout", "1000"]).start()
        };
        let start = &start;
        let nodes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..count).map(|node| scope.spawn(move || start(node))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a node")).collect()
        });
        let slots_per_node = SLOTS.div_ceil(primaries);
        for (i, node) in nodes.iter().enumerate() {
            node.run::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", i + 1));
            if i < primaries {
                let slots = (i * slots_per_node)..((i + 1) * slots_per_node).min(SLOTS);
                let mut add = redis::cmd("CLUSTER");
                add.arg("ADDSLOTS").arg(slots.collect::<Vec<_>>());
                add.exec(&mut node.connect()).expect("to assign slots");
            }
            if i > 0 {
                nodes[0].run::<()>(&format!("CLUSTER MEET 127.0.0.1 {}", bus_base_port(node)));
            }
        }
        let cluster = Self { nodes };
        let known_nodes = format!("cluster_known_nodes:{count}\r\n");
        cluster.wait_for_info(&["cluster_state:ok", &known_nodes]);
        for (replica, primary) in cluster.nodes[primaries..].iter().zip(&cluster.nodes) {
            let id: String = primary.run("CLUSTER MYID");
            eventually("the replica knows its primary", TIMEOUT, || {
                replica.try_run::<()>(&format!("CLUSTER REPLICATE {id}")).is_ok()
            });
        }
        for replica in &cluster.nodes[primaries..] {
            eventually("the replica is in sync", TIMEOUT, || {
                replica.info("master_link_status") == "up"
            });
        }
        cluster
    }

    /// Waits until the `CLUSTER INFO` of every node contains all of these.
    fn wait_for_info(&self, fragments: &[&str]) {
        eventually("the cluster is up", TIMEOUT, || {
            self.nodes.iter().all(|node| {
                let info: String = node.try_run("CLUSTER INFO").unwrap_or_default();
                fragments.iter().all(|fragment| info.contains(fragment))
            })
        });
    }

    /// The cluster's address, as `rl-server --store` takes it: its first two nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().take(2).map(|it| format!("127.0.0.1:{}", it.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The nodes in the order in which they were started: first the primaries, then their replicas.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The nodes, to kill or restart them.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> usize {
        let command = format!("CLUSTER KEYSLOT {key}");
        let slot = self.nodes.iter().find_map(|node| node.try_run(&command).ok());
        slot.expect("a running node")
    }

    /// The index of the node that is the primary of this slot, according to the first running node.
    #[track_caller]
    pub fn owner(&self, slot: usize) -> usize {
        let mut owner = None;
        eventually("a slot has a primary", TIMEOUT, || {
            let ranges =
                self.nodes.iter().find_map(|it| it.try_run::<Vec<Value>>("CLUSTER SLOTS").ok());
            let id = ranges.into_iter().flatten().find_map(|range| {
                let Value::Array(fields) = range else { return None };
                let fields: Vec<_> = fields.into_iter().take(3).collect();
                let (first, last, node): (usize, usize, Vec<Value>) =
                    redis::from_redis_value(Value::Array(fields)).ok()?;
                let id = redis::from_redis_value::<String>(node.into_iter().nth(2)?).ok()?;
                (first..=last).contains(&slot).then_some(id)
            });
            let is_owner = |node: &RedisServer| {
                node.try_run::<String>("CLUSTER MYID").is_ok_and(|it| Some(it) == id)
            };
            owner = self.nodes.iter().position(is_owner);
            owner.is_some()
        });
        owner.expect("a primary")
    }

    /// Moves a slot and its keys, one key at a time as redis-cli does. `between` runs while the
    /// slot is migrating, once before its keys move and once after.
    pub fn move_slot(&self, slot: usize, from: usize, to: usize, mut between: impl FnMut()) {
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let ids = [source, target].map(|node| node.run::<String>("CLUSTER MYID"));
        target.run::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids[0]));
        source.run::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", ids[1]));
        between();
        loop {
            let keys: Vec<Vec<u8>> = source.run(&format!("CLUSTER GETKEYSINSLOT {slot} 1"));
            let Some(key) = keys.first() else { break };
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(target.port()).arg(key).arg(0).arg(5000);
            migrate.query::<Value>(&mut source.connect()).expect("to move a key");
        }
        between();
        for node in [target, source].into_iter().chain(&self.nodes) {
            // A replica refuses the command and learns of the move from its primary.
            let _ = node.try_run::<()>(&format!("CLUSTER SETSLOT {slot} NODE {}", ids[1]));
        }
    }
}

/// The port from which the port of a node's cluster bus is derived.
fn bus_base_port(node: &RedisServer) -> u16 {
    let setting = |name: &str| {
        let pair: Vec<String> = node.run(&format!("CONFIG GET {name}"));
        pair.into_iter().nth(1).unwrap_or_default()
    };
    match setting("tls-cluster").as_str() {
        "yes" => setting("tls-port").parse().expect("a port"),
        _ => node.port(),
    }
}
