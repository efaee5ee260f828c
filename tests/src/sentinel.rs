//! A primary, its replicas, and three Sentinels that watch them.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use redis::Connection;
use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::{Flavour, RedisServer, Setup, eventually};

/// Sentinels that name the primary of one group; killed when dropped.
pub struct Sentinels {
    host: Ipv4Addr,
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    /// Where it is reached over TLS, if it is.
    tls_port: Option<u16>,
    _process: Process,
    _folder: TempDir,
}

/// The group's name.
const SERVICE: &str = "main";
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

// === impl Sentinels ===

impl Sentinels {
    /// Has three Sentinels watch `primary`, and waits until they know each other and so many replicas. What does not
    /// answer for two seconds is down: they come back to who hung up once a second, and hang up on each other in a failover.
    pub fn watch(primary: &RedisServer, replicas: usize) -> Self {
        Self::watch_at(primary.port(), replicas)
    }

    /// The same for a primary that is reached at this port of 127.0.0.1.
    pub fn watch_at(primary: u16, replicas: usize) -> Self {
        Self::start(HERE, (HERE, primary), replicas, &[])
    }

    /// The same of Sentinels and a primary that listen on other addresses than 127.0.0.1.
    pub fn watch_from(host: Ipv4Addr, primary: &RedisServer, replicas: usize) -> Self {
        Self::start(host, (primary.host(), primary.port()), replicas, &[])
    }

    /// The same for a primary without replicas that is reached over TLS, as they are themselves, with these directives.
    pub fn watch_over_tls(primary: u16, tls: &[String]) -> Self {
        Self::start(HERE, (HERE, primary), 0, tls)
    }

    fn start(host: Ipv4Addr, primary: (Ipv4Addr, u16), replicas: usize, tls: &[String]) -> Self {
        let nodes: Vec<_> = (0..3).map(|_| start(host, primary, tls)).collect();
        let sentinels = Self { host, nodes };
        eventually("the Sentinels know all", Duration::from_secs(30), || {
            sentinels.nodes.iter().all(|node| {
                let count = |what: &str| -> usize {
                    let command = redis::cmd("SENTINEL").arg(what).arg(SERVICE).to_owned();
                    let known: redis::RedisResult<Vec<redis::Value>> = connect(host, node.port)
                        .and_then(|mut connection| command.query(&mut connection));
                    known.map_or(0, |known| known.len())
                };
                count("SENTINELS") == 2 && count("REPLICAS") == replicas
            })
        });
        sentinels
    }

    /// As `rl-server --store` takes it.
    pub fn url(&self) -> String {
        let tls = self.nodes.iter().any(|node| node.tls_port.is_some());
        let ports = self.nodes.iter().map(|node| node.tls_port.unwrap_or(node.port));
        let hosts: Vec<_> = ports.map(|port| format!("{}:{port}", self.host)).collect();
        format!("redis{}+sentinel://{}/{SERVICE}", if tls { "s" } else { "" }, hosts.join(","))
    }

    /// Their ports.
    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    /// Gives each of them another setting for the group, such as `failover-timeout`.
    pub fn set(&self, option: &str, value: u64) {
        for node in &self.nodes {
            let mut set = redis::cmd("SENTINEL");
            set.arg("SET").arg(SERVICE).arg(option).arg(value);
            connect(self.host, node.port).and_then(|mut it| set.exec(&mut it)).expect("to set it");
        }
    }

    /// The port of the primary, as the first of them says.
    pub fn primary(&self) -> u16 {
        let mut connection = connect(self.host, self.nodes[0].port).expect("a Sentinel");
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(SERVICE);
        let (_, port): (String, u16) = command.query(&mut connection).expect("a primary");
        port
    }

    /// The epoch of their configuration, which grows with each failover; once none is under way, and all agree.
    pub fn epoch(&self) -> String {
        let mut told = Vec::new();
        eventually("the Sentinels agree", Duration::from_secs(90), || {
            told = self
                .nodes
                .iter()
                .filter_map(|node| configuration(self.host, node.port).ok())
                .collect();
            let calm = told.iter().all(|it| it["flags"] == "master");
            let same = |field| told.iter().all(|it| it[field] == told[0][field]);
            calm && told.len() == self.nodes.len() && same("port") && same("config-epoch")
        });
        told[0]["config-epoch"].clone()
    }

    /// Has them make another the primary, as for maintenance.
    pub fn fail_over(&self) {
        eventually("a failover begins", Duration::from_secs(30), || {
            let mut connection = connect(self.host, self.nodes[0].port).expect("a Sentinel");
            redis::cmd("SENTINEL").arg("FAILOVER").arg(SERVICE).exec(&mut connection).is_ok()
        });
    }
}

/// A primary and so many replicas that have caught up.
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
    let (of, at) = primary;
    let mut settings = format!(
        "port {port}\nbind {host}\nprotected-mode no\nsentinel monitor {SERVICE} {of} {at} 2\n\
         sentinel down-after-milliseconds {SERVICE} 2000\nsentinel failover-timeout {SERVICE} 3000\n"
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

/// What a Sentinel says of the primary.
fn configuration(host: Ipv4Addr, port: u16) -> redis::RedisResult<HashMap<String, String>> {
    redis::cmd("SENTINEL").arg("MASTER").arg(SERVICE).query(&mut connect(host, port)?)
}

fn connect(host: Ipv4Addr, port: u16) -> redis::RedisResult<Connection> {
    redis::Client::open((host.to_string(), port))?
        .get_connection_with_timeout(Duration::from_secs(5))
}
