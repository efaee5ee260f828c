//! A primary and two replicas that three Sentinels watch.

use redis::Value;
use rl_tests::{FaultProxy, RedisServer, Sentinels, eventually};

use crate::topology::{TIMEOUT, Topology, behind_proxy, info};

pub(crate) struct SentinelTopology {
    servers: Vec<RedisServer>,
    proxies: Vec<FaultProxy>,
    sentinels: Sentinels,
}

impl Topology for SentinelTopology {
    const NAME: &'static str = "sentinel";
    const HAS_SLOTS: bool = false;

    fn start() -> Self {
        let (setups, proxies): (Vec<_>, Vec<_>) =
            (0..3).map(|_| behind_proxy("replica-announce")).unzip();
        let servers: Vec<_> = setups.into_iter().map(|setup| setup.start()).collect();
        for replica in &servers[1..] {
            follow(replica, &proxies[0]);
        }
        let sentinels = Sentinels::watch_at(proxies[0].port(), 2);
        Self { servers, proxies, sentinels }
    }

    fn url(&self) -> String {
        self.sentinels.url()
    }

    fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    fn servers_mut(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    fn proxies(&self) -> &[FaultProxy] {
        &self.proxies
    }

    fn primary(&self, _key: &str) -> usize {
        let port = self.sentinels.primary();
        self.proxies.iter().position(|proxy| proxy.port() == port).expect("one of ours")
    }

    fn primaries(&self) -> String {
        self.sentinels.epoch()
    }

    fn fail_over(&self, primary: usize) {
        self.sentinels.fail_over();
        eventually("another server is the primary", TIMEOUT, || self.primary("") != primary);
    }

    fn move_slot(&self, _key: &str) {
        unreachable!("a Sentinel setup has no slots");
    }

    fn rejoin(&self, server: usize) {
        // The Sentinels would do this too, but only after eight seconds.
        let primary = self.primary("");
        if server != primary && info(&self.servers[server], "role") == "master" {
            follow(&self.servers[server], &self.proxies[primary]);
        }
    }
}

fn follow(replica: &RedisServer, primary: &FaultProxy) {
    replica.run::<Value>(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
}
