//! A primary, its replicas, and the three Sentinels that watch them.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use redis::Connection;
use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::{Flavour, RedisServer, Setup, eventually};

/// Three Sentinels that name the primary of one group; killed when dropped.
pub struct Sentinels {
    host: Ipv4Addr,
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    /// The TLS port, if there is one.
    tls_port: Option<u16>,
    _process: Process,
    _folder: TempDir,
}

/// The name of the group.
const SERVICE: &str = "main";
const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

// === impl Sentinels ===

impl Sentinels {
    /// Starts three Sentinels that watch `primary`, and waits until they know each other and this
    /// many replicas. A server that does not answer for two seconds counts as down. A shorter time
    /// would not do: Sentinels close their connections to each other in a failover, and reconnect
    /// only once a second.
    pub fn watch(primary: &RedisServer, replicas: usize) -> Self {
        Self::watch_at(primary.port(), replicas)
    }

    /// Like [`watch`](Self::watch), for a primary at this port of 127.0.0.1.
    pub fn watch_at(primary: u16, replicas: usize) -> Self {
        Self::start(LOCALHOST, (LOCALHOST, primary), replicas, &[])
    }

    /// Like [`watch`](Self::watch), for Sentinels and a primary on addresses other than 127.0.0.1.
    pub fn watch_from(host: Ipv4Addr, primary: &RedisServer, replicas: usize) -> Self {
        Self::start(host, (primary.host(), primary.port()), replicas, &[])
    }

    /// Like [`watch`](Self::watch), for a primary without replicas. The primary and the Sentinels
    /// are reached over TLS, with these directives.
    pub fn watch_over_tls(primary: u16, tls: &[String]) -> Self {
        Self::start(LOCALHOST, (LOCALHOST, primary), 0, tls)
    }

    fn start(host: Ipv4Addr, primary: (Ipv4Addr, u16), replicas: usize, tls: &[String]) -> Self {
        let nodes: Vec<_> = (0..3).map(|_| start(host, primary, tls)).collect();
        let sentinels = Self { host, nodes };
        eventually("the Sentinels know all servers", Duration::from_secs(30), || {
            sentinels.nodes.iter().all(|node| {
                let count = |subcommand: &str| -> usize {
                    let command = redis::cmd("SENTINEL").arg(subcommand).arg(SERVICE).to_owned();
                    let servers: redis::RedisResult<Vec<redis::Value>> = connect(host, node.port)
                        .and_then(|mut connection| command.query(&mut connection));
                    servers.map_or(0, |servers| servers.len())
                };
                count("SENTINELS") == 2 && count("REPLICAS") == replicas
            })
        });
        sentinels
    }

    /// The address of the group, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        let tls = self.nodes.iter().any(|node| node.tls_port.is_some());
        let ports = self.nodes.iter().map(|node| node.tls_port.unwrap_or(node.port));
        let hosts: Vec<_> = ports.map(|port| format!("{}:{port}", self.host)).collect();
        format!("redis{}+sentinel://{}/{SERVICE}", if tls { "s" } else { "" }, hosts.join(","))
    }

    /// The ports of the Sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    /// Changes an option of the group, such as `failover-timeout`, on every Sentinel.
    pub fn set(&self, option: &str, value: u64) {
        for node in &self.nodes {
            let mut set = redis::cmd("SENTINEL");
            set.arg("SET").arg(SERVICE).arg(option).arg(value);
            connect(self.host, node.port).and_then(|mut it| set.exec(&mut it)).expect("to set it");
        }
    }

    /// The port of the primary, according to the first Sentinel.
    pub fn primary(&self) -> u16 {
        let mut connection = connect(self.host, self.nodes[0].port).expect("a Sentinel");
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(SERVICE);
        let (_, port): (String, u16) = command.query(&mut connection).expect("a primary");
        port
    }

    /// Waits until no failover is under way and all Sentinels agree, and returns the epoch of their
    /// configuration, which grows with each failover.
    pub fn epoch(&self) -> String {
        let mut views = Vec::new();
        eventually("the Sentinels agree", Duration::from_secs(90), || {
            views = self
                .nodes
                .iter()
                .filter_map(|node| configuration(self.host, node.port).ok())
                .collect();
            let is_calm = views.iter().all(|it| it["flags"] == "master");
            let agree = |field| views.iter().all(|it| it[field] == views[0][field]);
            is_calm && views.len() == self.nodes.len() && agree("port") && agree("config-epoch")
        });
        views[0]["config-epoch"].clone()
    }

    /// Makes one of the Sentinels name no primary.
    pub fn forget_primary(&self, sentinel: usize) {
        let mut connection = connect(self.host, self.nodes[sentinel].port).expect("a Sentinel");
        let mut remove = redis::cmd("SENTINEL");
        remove.arg("REMOVE").arg(SERVICE).exec(&mut connection).expect("to forget it");
    }

    /// Starts a failover to a replica, as for maintenance.
    pub fn fail_over(&self) {
        eventually("a failover starts", Duration::from_secs(30), || {
            let mut connection = connect(self.host, self.nodes[0].port).expect("a Sentinel");
            redis::cmd("SENTINEL").arg("FAILOVER").arg(SERVICE).exec(&mut connection).is_ok()
        });
    }
}

/// Starts a primary and this many replicas, and waits until they have caught up.
pub fn primary_with_replicas(setup: impl Fn() -> Setup, replicas: usize) -> Vec<RedisServer> {
    let servers: Vec<_> = (0..=replicas).map(|_| setup().start()).collect();
    for replica in &servers[1..] {
        replica.follow(&servers[0]);
    }
    servers
}

fn start(host: Ipv4Addr, primary: (Ipv4Addr, u16), tls: &[String]) -> Node {
    let folder = TempDir::new().expect("a temporary folder");
    let (port, tls_port) = (free_port(), (!tls.is_empty()).then(free_port));
    let (primary_host, primary_port) = primary;
    let mut settings = format!(
        "port {port}\nbind {host}\nprotected-mode no\n\
         sentinel monitor {SERVICE} {primary_host} {primary_port} 2\n\
         sentinel down-after-milliseconds {SERVICE} 2000\n\
         sentinel failover-timeout {SERVICE} 3000\n"
    );
    if let Some(port) = tls_port {
        settings += &format!("tls-port {port}\ntls-replication yes\n{}\n", tls.join("\n"));
    }
    fs::write(folder.path().join("sentinel.conf"), settings).expect("to write a file");
    let mut command = Command::new(Flavour::program());
    command.args(["sentinel.conf", "--sentinel"]).current_dir(folder.path());
    let process = Process::start(&mut command, folder.path().join("log")).expect("a Sentinel");
    Node { port, tls_port, _process: process, _folder: folder }
}

/// A Sentinel's view of the primary.
fn configuration(host: Ipv4Addr, port: u16) -> redis::RedisResult<HashMap<String, String>> {
    redis::cmd("SENTINEL").arg("MASTER").arg(SERVICE).query(&mut connect(host, port)?)
}

fn connect(host: Ipv4Addr, port: u16) -> redis::RedisResult<Connection> {
    redis::Client::open((host.to_string(), port))?
        .get_connection_with_timeout(Duration::from_secs(5))
}
