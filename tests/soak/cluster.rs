//! Three primaries that share the slots, each with a replica.

use std::sync::Mutex;

use rl_tests::{Cluster, FaultProxy, RedisServer, eventually};

use crate::stage::{PATIENCE, Stage, asked, behind_proxy, info};

pub(crate) struct ClusterStage {
    cluster: Cluster,
    proxies: Vec<FaultProxy>,
}

const PRIMARIES: usize = 3;
const NODES: usize = 2 * PRIMARIES;

impl Stage for ClusterStage {
    const NAME: &'static str = "cluster";
    const HAS_SLOTS: bool = true;

    fn start() -> Self {
        let (setups, proxies): (Vec<_>, Vec<_>) =
            (0..NODES).map(|_| behind_proxy("cluster-announce")).unzip();
        let setups = setups.into_iter().map(|setup| Mutex::new(Some(setup))).collect::<Vec<_>>();
        let setup = |at: usize| setups[at].lock().expect("a setup").take().expect("it once");
        Self { cluster: Cluster::start_each(setup, PRIMARIES, NODES), proxies }
    }

    fn url(&self) -> String {
        let hosts = self.proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port()));
        format!("redis+cluster://{}", hosts.collect::<Vec<_>>().join(","))
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

    fn hand_over(&self, primary: usize) {
        let port = self.proxies[primary].port().to_string();
        let replica = self.servers().iter().find(|server| info(server, "master_port") == port);
        let replica = replica.expect("its replica");
        eventually("the replica takes over", PATIENCE, || {
            asked(replica, "CLUSTER FAILOVER");
            info(replica, "role") == "master"
        });
    }

    fn move_slot(&self, key: &str) {
        let from = self.primary(key);
        let others = (0..NODES).filter(|at| *at != from);
        let to = others.clone().find(|at| info(&self.servers()[*at], "role") == "master");
        self.cluster.move_slot(self.cluster.slot(key), from, to.expect("another"), || ());
    }

    fn rejoin(&self, _server: usize) {
        // It knows the others, and they know who is a primary.
    }
}
