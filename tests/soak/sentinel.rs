//! A primary and two replicas that three Sentinels watch.

use fastrand::Rng;
use redis::Value;
use rl_tests::{Fault, FaultProxy, RedisServer, Sentinels, Setup, eventually};

use crate::fault::FaultKind;
use crate::topology::{TIMEOUT, Topology, behind_proxy, info, query};

pub(crate) struct SentinelTopology {
    servers: Vec<RedisServer>,
    proxies: Vec<FaultProxy>,
    sentinels: Sentinels,
    /// Between the fronts and each of the Sentinels.
    sentinel_proxies: Vec<FaultProxy>,
    /// A server that no majority ever names.
    stray: RedisServer,
    /// Sentinels of the stray, of which the last watches no server.
    strays: Sentinels,
}

/// What a Sentinel tells the fronts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Silent,
    Stray,
    Nobody,
}

impl Topology for SentinelTopology {
    const NAME: &'static str = "sentinel";

    fn start() -> Self {
        let (setups, proxies): (Vec<_>, Vec<_>) =
            (0..3).map(|_| behind_proxy("replica-announce")).unzip();
        let servers: Vec<_> = setups.into_iter().map(|setup| setup.start()).collect();
        for replica in &servers[1..] {
            follow(replica, &proxies[0]);
        }
        let sentinels = Sentinels::watch_at(proxies[0].port(), 2);
        let sentinel_proxies = sentinels.ports().into_iter().map(FaultProxy::start).collect();
        let stray = Setup::with_module().start();
        let strays = Sentinels::watch(&stray, 0);
        strays.forget_primary(2);
        Self { servers, proxies, sentinels, sentinel_proxies, stray, strays }
    }

    fn has(fault: FaultKind) -> bool {
        fault != FaultKind::MoveSlot
    }

    fn url(&self, host: &str) -> String {
        let hosts = self.ports().into_iter().map(|port| format!("{host}:{port}"));
        format!("redis+sentinel://{}/main", hosts.collect::<Vec<_>>().join(","))
    }

    fn ports(&self) -> Vec<u16> {
        self.sentinel_proxies.iter().map(FaultProxy::port).collect()
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

    fn mislead(&self, sentinels: usize, rng: &mut Rng) {
        let mut order = [0, 1, 2];
        rng.shuffle(&mut order);
        // If two named the stray, they would be a majority.
        let mut opinions = [Opinion::Silent, Opinion::Stray, Opinion::Nobody];
        rng.shuffle(&mut opinions);
        for (sentinel, opinion) in order.into_iter().zip(opinions).take(sentinels) {
            let proxy = &self.sentinel_proxies[sentinel];
            match opinion {
                Opinion::Silent => proxy.set(Fault::HoldReplies),
                Opinion::Stray => proxy.set_upstream(self.strays.ports()[0]),
                Opinion::Nobody => proxy.set_upstream(self.strays.ports()[2]),
            }
        }
    }

    fn lead_right(&self) {
        for (proxy, port) in self.sentinel_proxies.iter().zip(self.sentinels.ports()) {
            proxy.set_upstream(port);
            proxy.clear();
        }
        let commands = query(&self.stray, "INFO commandstats").to_lowercase();
        let is_check = |line: &str| line.contains("rl.") || line.contains("_eval");
        assert!(!commands.lines().any(is_check), "checks at the stray: {commands}");
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
