//! Servers in some order, each behind a proxy of its own through which everybody reaches it, its peers too.

use std::time::Duration;

use rl_tests::{FaultProxy, RedisServer, Setup, eventually, free_port};

/// Waits for what servers do by themselves, such as electing a primary.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Servers that stand in for each other.
pub(crate) trait Stage: Sized {
    const NAME: &'static str;
    /// Whether keys have slots that can move.
    const HAS_SLOTS: bool;

    /// Starts them.
    fn start() -> Self;

    /// As `rl-server --store` takes it.
    fn url(&self) -> String;

    fn servers(&self) -> &[RedisServer];

    fn servers_mut(&mut self) -> &mut [RedisServer];

    fn proxies(&self) -> &[FaultProxy];

    /// Which server decides about `key`.
    fn primary(&self, key: &str) -> usize;

    /// Who is a primary, in words that change whenever another becomes one; once that is settled.
    fn primaries(&self) -> String;

    /// Has a replica take over from this primary, as for maintenance.
    fn hand_over(&self, primary: usize);

    /// Moves the slot of `key` to another node, under load.
    fn move_slot(&self, key: &str);

    /// Has a server that began again, or was away, follow the right primary.
    fn rejoin(&self, server: usize);
}

/// A server to be started, which says that it is where its proxy is. `announce` is how its options are called.
pub(crate) fn behind_proxy(announce: &str) -> (Setup, FaultProxy) {
    let port = free_port();
    let proxy = FaultProxy::start(port);
    let address = proxy.port().to_string();
    let setup = Setup::with_module()
        .with_port(port)
        .option(&[&format!("{announce}-ip"), "127.0.0.1"])
        .option(&[&format!("{announce}-port"), &address]);
    (setup, proxy)
}

/// The answer of a server that may be gone.
pub(crate) fn asked(server: &RedisServer, words: &str) -> String {
    server.try_run(words).unwrap_or_default()
}

/// One field of an `INFO` section of a server that may be gone.
pub(crate) fn info(server: &RedisServer, field: &str) -> String {
    let info = asked(server, "INFO replication");
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

/// Waits until every server is a primary or has all that its primary has.
pub(crate) fn settle(stage: &impl Stage) {
    let offset =
        |server: &RedisServer| -> Option<u64> { info(server, "master_repl_offset").parse().ok() };
    eventually("all have the same", PATIENCE, || {
        stage.servers().iter().all(|server| match &*info(server, "role") {
            "master" => true,
            "slave" => {
                let port = info(server, "master_port");
                let primary = stage.proxies().iter().position(|it| it.port().to_string() == port);
                let Some(primary) = primary.map(|it| &stage.servers()[it]) else { return false };
                info(primary, "role") == "master"
                    && info(server, "master_link_status") == "up"
                    && offset(primary).is_some_and(|it| offset(server) >= Some(it))
            }
            _ => false, // it is on its way up
        })
    });
}
