//! Where a name leads, by a resolver that may take its time.
//!
//! A lookup cannot be called off. Where the first name server is away it takes 5 s and more, longer than an attempt to
//! connect may. So it goes on when the attempt is given up, and the next attempt takes it up.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actix_web::rt::task::spawn_blocking;
use tokio::sync::watch;

use crate::settings::Host;

/// A lookup that was begun, and its answer once it is there.
struct Lookup {
    since: Instant,
    answer: watch::Receiver<Option<Answer>>,
}

type Answer = Result<Vec<SocketAddr>, String>;
type Name = (String, u16);

static UNDER_WAY: Mutex<BTreeMap<Name, Lookup>> = Mutex::new(BTreeMap::new());

/// One that is older is not waited for, nor what it found believed.
const AGE: Duration = Duration::from_secs(30);

/// The addresses of a host, as they are now.
pub(super) async fn lookup(host: &Host) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.name.parse::<IpAddr>() {
        return Ok(vec![(address, host.port).into()]);
    }
    let name = (host.name.clone(), host.port);
    let (since, mut answer) = begun(&name);
    let answer = answer.wait_for(Option::is_some).await.map(|answer| answer.clone());
    // Who asks next wants to know anew.
    under_way().retain(|it, lookup| *it != name || lookup.since != since);
    answer
        .ok()
        .flatten()
        .unwrap_or_else(|| Err("it was not looked up".to_owned()))
        .map_err(io::Error::other)
}

/// The lookup of this name that is under way, or one that begins now.
fn begun(name: &Name) -> (Instant, watch::Receiver<Option<Answer>>) {
    let mut under_way = under_way();
    if let Some(lookup) = under_way.get(name).filter(|lookup| lookup.since.elapsed() < AGE) {
        return (lookup.since, lookup.answer.clone());
    }
    let (found, answer) = watch::channel(None);
    let (since, asked) = (Instant::now(), name.clone());
    spawn_blocking(move || {
        let addresses = (asked.0.as_str(), asked.1).to_socket_addrs();
        found.send_replace(Some(
            addresses.map(Iterator::collect).map_err(|error| error.to_string()),
        ));
    });
    under_way.insert(name.clone(), Lookup { since, answer: answer.clone() });
    (since, answer)
}

fn under_way() -> MutexGuard<'static, BTreeMap<Name, Lookup>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}
