//! A Redis Cluster of one's own.

use std::thread;
use std::time::Duration;

use redis::Value;

use crate::{RedisServer, Setup, eventually};

/// Primaries that share the slots, each with a replica or none; killed when dropped.
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

const SLOTS: usize = 16_384;
const SOON: Duration = Duration::from_secs(60);

// === impl Cluster ===

impl Cluster {
    /// Starts so many primaries, and a replica of each if there are to be some. What does not answer for a
    /// second is down.
    pub fn start(setup: impl Fn() -> Setup + Sync, primaries: usize, replicas: bool) -> Self {
        let count = primaries * if replicas { 2 } else { 1 };
        Self::start_each(|_| setup(), primaries, count)
    }

    /// The same of so many nodes, each with a setup of its own; the first are primaries, the others their replicas.
    pub fn start_each(
        setup: impl Fn(usize) -> Setup + Sync,
        primaries: usize,
        count: usize,
    ) -> Self {
        let start = |at: usize| {
            let setup = setup(at).option(&["cluster-enabled", "yes"]);
            setup.option(&["cluster-node-timeout", "1000"]).start()
        };
        let start = &start;
        let nodes: Vec<_> = thread::scope(|scope| {
            let starting: Vec<_> = (0..count).map(|at| scope.spawn(move || start(at))).collect();
            starting.into_iter().map(|node| node.join().expect("a node")).collect()
        });
        let share = SLOTS.div_ceil(primaries);
        for (i, node) in nodes.iter().enumerate() {
            node.run::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", i + 1));
            if i < primaries {
                let slots = (i * share)..((i + 1) * share).min(SLOTS);
                let mut add = redis::cmd("CLUSTER");
                add.arg("ADDSLOTS").arg(slots.collect::<Vec<_>>());
                add.exec(&mut node.connect()).expect("to take slots");
            }
            if i > 0 {
                nodes[0].run::<()>(&format!("CLUSTER MEET 127.0.0.1 {}", port_of_bus(node)));
            }
        }
        let cluster = Self { nodes };
        let known = format!("cluster_known_nodes:{count}\r\n");
        cluster.all_say("CLUSTER INFO", &["cluster_state:ok", &known]);
        for (replica, primary) in cluster.nodes[primaries..].iter().zip(&cluster.nodes) {
            let id: String = primary.run("CLUSTER MYID");
            eventually("the replica knows its primary", SOON, || {
                replica.try_run::<()>(&format!("CLUSTER REPLICATE {id}")).is_ok()
            });
        }
        for replica in &cluster.nodes[primaries..] {
            eventually("the replica is in sync", SOON, || {
                replica.info("master_link_status") == "up"
            });
        }
        cluster
    }

    /// Waits until each node that lives answers `command` with all of these.
    fn all_say(&self, command: &str, parts: &[&str]) {
        eventually(command, SOON, || {
            self.nodes.iter().all(|node| {
                let said: String = node.try_run(command).unwrap_or_default();
                parts.iter().all(|part| said.contains(part))
            })
        });
    }

    /// As `rl-server --store` takes it: the first two of its nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().take(2).map(|it| format!("127.0.0.1:{}", it.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Its nodes: primaries first, then the replica of each, as they began.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The same, to kill or restart.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> usize {
        let words = format!("CLUSTER KEYSLOT {key}");
        let slot = self.nodes.iter().find_map(|node| node.try_run(&words).ok());
        slot.expect("a node that lives")
    }

    /// Which node is the primary of this slot, as any of them says that lives.
    #[track_caller]
    pub fn owner(&self, slot: usize) -> usize {
        let mut owner = None;
        eventually("a slot has a primary", SOON, || {
            let told =
                self.nodes.iter().find_map(|it| it.try_run::<Vec<Value>>("CLUSTER SLOTS").ok());
            let id = told.into_iter().flatten().find_map(|share| {
                let Value::Array(parts) = share else { return None };
                let parts: Vec<_> = parts.into_iter().take(3).collect();
                let (first, last, node): (usize, usize, Vec<Value>) =
                    redis::from_redis_value(Value::Array(parts)).ok()?;
                let id = redis::from_redis_value::<String>(node.into_iter().nth(2)?).ok()?;
                (first..=last).contains(&slot).then_some(id)
            });
            let is = |node: &RedisServer| {
                node.try_run::<String>("CLUSTER MYID").is_ok_and(|it| Some(it) == id)
            };
            owner = self.nodes.iter().position(is);
            owner.is_some()
        });
        owner.expect("a primary")
    }

    /// Moves a slot with its keys, one key at a time as redis-cli does; `between` runs while the slot is on its
    /// way, before and after its keys.
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
            // A replica is told by its primary.
            let _ = node.try_run::<()>(&format!("CLUSTER SETSLOT {slot} NODE {}", ids[1]));
        }
    }
}

/// The port that that of a node's bus goes by.
fn port_of_bus(node: &RedisServer) -> u16 {
    let setting = |name: &str| {
        let pair: Vec<String> = node.run(&format!("CONFIG GET {name}"));
        pair.into_iter().nth(1).unwrap_or_default()
    };
    match setting("tls-cluster").as_str() {
        "yes" => setting("tls-port").parse().expect("a port"),
        _ => node.port(),
    }
}
