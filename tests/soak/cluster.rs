//! Three primaries that share the slots, each with a replica.

use std::sync::Mutex;

use fastrand::Rng;
use rl_tests::{Cluster, FaultProxy, RedisServer, eventually};

use crate::fault::FaultKind;
use crate::topology::{TIMEOUT, Topology, behind_proxy, info, query};

pub(crate) struct ClusterTopology {
    cluster: Cluster,
    proxies: Vec<FaultProxy>,
}

const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;

impl Topology for ClusterTopology {
    const NAME: &'static str = "cluster";

    fn start() -> Self {
        let (setups, proxies): (Vec<_>, Vec<_>) =
            (0..NODES).map(|_| behind_proxy("cluster-announce")).unzip();
        let setups = setups.into_iter().map(|setup| Mutex::new(Some(setup))).collect::<Vec<_>>();
        let setup = |i: usize| setups[i].lock().expect("a setup").take().expect("a single use");
        Self { cluster: Cluster::start_each(setup, PRIMARIES, NODES), proxies }
    }

    fn has(fault: FaultKind) -> bool {
        !matches!(fault, FaultKind::Minority | FaultKind::NoMajority)
    }

    fn url(&self, host: &str) -> String {
        let hosts = self.ports().into_iter().map(|port| format!("{host}:{port}"));
        format!("redis+cluster://{}", hosts.collect::<Vec<_>>().join(","))
    }

    fn ports(&self) -> Vec<u16> {
        self.proxies.iter().map(FaultProxy::port).collect()
    }

    fn servers(&self) -> &[RedisServer] {
        self.cluster.nodes()
    }

    fn servers_mut(&mut self) -> &mut [RedisServer] {
        self.cluster.nodes_mut()
    }

    fn proxies(&self) -> &[FaultProxy] {
        &self.proxies
    }

    fn primary(&self, key: &str) -> usize {
        self.cluster.owner(self.cluster.slot(key))
    }

    fn primaries(&self) -> String {
        let role = |server: &RedisServer| info(server, "role");
        self.servers().iter().map(role).collect::<Vec<_>>().join(" ")
    }

    fn fail_over(&self, primary: usize) {
        let port = self.proxies[primary].port().to_string();
        let replica = self.servers().iter().find(|server| info(server, "master_port") == port);
        let replica = replica.expect("a replica of the primary");
        eventually("the replica takes over", TIMEOUT, || {
            query(replica, "CLUSTER FAILOVER");
            info(replica, "role") == "master"
        });
    }

    fn move_slot(&self, key: &str) {
        let from = self.primary(key);
        let mut others = (0..NODES).filter(|node| *node != from);
        let to = others.find(|node| info(&self.servers()[*node], "role") == "master");
        self.cluster.move_slot(self.cluster.slot(key), from, to.expect("another primary"), || ());
    }

    fn mislead(&self, _sentinels: usize, _rng: &mut Rng) {
        unreachable!("a cluster has no Sentinels");
    }

    fn lead_right(&self) {}

    fn rejoin(&self, _server: usize) {
        // The node still knows the others, and they tell it which nodes are primaries.
    }
}
