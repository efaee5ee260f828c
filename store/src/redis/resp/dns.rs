//! Name lookups by the system's resolver, which may take longer than an attempt to connect.
//!
//! A lookup cannot be cancelled. Where the first name server is away it takes 5 s and more, longer
//! than an attempt may take. It therefore goes on when the attempt is given up, and the next
//! attempt picks it up.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::spawn_blocking};

use crate::redis::address::Host;

/// A lookup that has begun, and its result once that is known.
struct Lookup {
    started: Instant,
    result: watch::Receiver<Option<Addresses>>,
}

type Addresses = Result<Vec<SocketAddr>, String>;
type Name = (String, u16);

static IN_FLIGHT: Mutex<BTreeMap<Name, Lookup>> = Mutex::new(BTreeMap::new());

/// The age at which a lookup is neither waited for nor believed any more.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Looks up the addresses of a host.
pub(super) async fn lookup(host: &Host) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.name.parse::<IpAddr>() {
        return Ok(vec![(address, host.port).into()]);
    }
    let name = (host.name.clone(), host.port);
    let (started, mut result) = join_or_start(&name);
    let result = result.wait_for(Option::is_some).await.map(|addresses| addresses.clone());
    // The next caller looks the name up anew.
    in_flight().retain(|it, lookup| *it != name || lookup.started != started);
    result
        .ok()
        .flatten()
        .unwrap_or_else(|| Err("the name was not looked up".to_owned()))
        .map_err(io::Error::other)
}

/// The lookup of this name that is in flight, or a new one.
fn join_or_start(name: &Name) -> (Instant, watch::Receiver<Option<Addresses>>) {
    let mut in_flight = in_flight();
    if let Some(lookup) = in_flight.get(name).filter(|it| it.started.elapsed() < MAX_AGE) {
        return (lookup.started, lookup.result.clone());
    }
    let (sender, result) = watch::channel(None);
    let (started, (host, port)) = (Instant::now(), name.clone());
    spawn_blocking(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        sender.send_replace(Some(addresses.map_err(|error| error.to_string())));
    });
    in_flight.insert(name.clone(), Lookup { started, result: result.clone() });
    (started, result)
}

fn in_flight() -> MutexGuard<'static, BTreeMap<Name, Lookup>> {
    IN_FLIGHT.lock().unwrap_or_else(PoisonError::into_inner)
}
