//! Redis servers in some topology, each behind its own proxy, through which its peers reach it too.

use std::time::Duration;

use fastrand::Rng;
use rl_tests::{FaultProxy, RedisServer, Setup, eventually, free_port};

use crate::fault::FaultKind;

/// A timeout for what servers do by themselves, such as electing a primary.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// Servers that replace each other when one fails.
pub(crate) trait Topology: Sized {
    const NAME: &'static str;

    /// Starts the servers.
    fn start() -> Self;

    /// Whether this fault can hit these servers.
    fn has(fault: FaultKind) -> bool;

    /// The address, as `rl-server --store` takes it, with this host.
    fn url(&self, host: &str) -> String;

    /// The ports in the address.
    fn ports(&self) -> Vec<u16>;

    fn servers(&self) -> &[RedisServer];

    fn servers_mut(&mut self) -> &mut [RedisServer];

    fn proxies(&self) -> &[FaultProxy];

    /// The index of the server that is the primary for `key`.
    fn primary(&self, key: &str) -> usize;

    /// A text that changes whenever another server becomes a primary, read once the servers agree.
    fn primaries(&self) -> String;

    /// Makes a replica take over from this primary, as for maintenance.
    fn fail_over(&self, primary: usize);

    /// Moves the slot of `key` to another node, under load.
    fn move_slot(&self, key: &str);

    /// Makes this many Sentinels fall silent, or name another server or none.
    fn mislead(&self, sentinels: usize, rng: &mut Rng);

    /// Ends what [`mislead`](Self::mislead) began.
    fn lead_right(&self);

    /// Makes a server that was restarted or unreachable follow the right primary.
    fn rejoin(&self, server: usize);
}

/// The setup of a server that announces the address of its proxy. `option_prefix` is the prefix of
/// the announcing options.
pub(crate) fn behind_proxy(option_prefix: &str) -> (Setup, FaultProxy) {
    let port = free_port();
    let proxy = FaultProxy::start(port);
    let proxy_port = proxy.port().to_string();
    let setup = Setup::with_module()
        .with_port(port)
        .option(&[&format!("{option_prefix}-ip"), "127.0.0.1"])
        .option(&[&format!("{option_prefix}-port"), &proxy_port]);
    (setup, proxy)
}

/// The reply of a server, which may be down; empty if there is none.
pub(crate) fn query(server: &RedisServer, command: &str) -> String {
    server.try_run(command).unwrap_or_default()
}

/// A field of the replication section of `INFO` of a server, which may be down; empty if it is.
pub(crate) fn info(server: &RedisServer, field: &str) -> String {
    let info = query(server, "INFO replication");
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

/// Waits until every server is a primary or has everything that its primary has.
pub(crate) fn wait_for_sync(topology: &impl Topology) {
    let offset =
        |server: &RedisServer| -> Option<u64> { info(server, "master_repl_offset").parse().ok() };
    eventually("all replicas are in sync", TIMEOUT, || {
        topology.servers().iter().all(|server| match &*info(server, "role") {
            "master" => true,
            "slave" => {
                let port = info(server, "master_port");
                let primary =
                    topology.proxies().iter().position(|it| it.port().to_string() == port);
                let Some(primary) = primary.map(|it| &topology.servers()[it]) else {
                    return false;
                };
                info(primary, "role") == "master"
                    && info(server, "master_link_status") == "up"
                    && offset(primary).is_some_and(|it| offset(server) >= Some(it))
            }
            _ => false, // still starting
        })
    });
}
