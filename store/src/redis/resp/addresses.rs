//! Attempts at the addresses of a host, staggered (RFC 8305).
//!
//! An address that leads nowhere, or to a server that is stuck or of no use, must not keep a front
//! from the next one: an IPv6 address without a route, or a pod that is gone, behind the same name.

use std::{net::SocketAddr, path::Path, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{select, time::sleep};

use super::dns::lookup;
use crate::redis::{
    address::{Host, Server},
    error::CommandError,
};

/// The destination of one attempt to connect.
#[derive(Clone, Copy, Debug)]
pub(in crate::redis) enum Address<'a> {
    /// One of the addresses of a host.
    Tcp(&'a Host, SocketAddr),
    /// A Unix socket.
    Unix(&'a Path),
}

/// The longest time between the starts of two attempts, unless the first fails sooner. RFC 8305
/// (section 5) recommends 250 ms and at least 100 ms; all of them have one second here.
const MAX_DELAY: Duration = Duration::from_millis(100);
/// The time within which attempts at all addresses start, if there are many.
const START_WITHIN: Duration = Duration::from_millis(500);

/// Makes an attempt at each address of `server` until one succeeds; the others are dropped. Returns
/// the last error if all fail.
pub(in crate::redis) async fn try_each<'a, T, F>(
    server: &'a Server,
    attempt: impl Fn(Address<'a>) -> F,
) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    let host = match server {
        Server::Host(host) => host,
        Server::Unix(path) => return attempt(Address::Unix(path)).await,
    };
    let broken = |reason: String| CommandError::Broken(reason);
    let addresses = lookup(host).await.map_err(|error| broken(error.to_string()))?;
    try_addresses(addresses, |address| attempt(Address::Tcp(host, address)))
        .await
        .unwrap_or_else(|| Err(broken("the name has no address".to_owned())))
}

/// The first success, or the last error; `None` without addresses.
async fn try_addresses<T, E, F>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> Option<Result<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let count = u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let delay = MAX_DELAY.min(START_WITHIN / count);
    let mut waiting = by_alternating_families(addresses).into_iter();
    let mut started = FuturesUnordered::new();
    let mut last_error = None;
    loop {
        started.extend(waiting.next().map(&attempt));
        select! {
            biased;
            outcome = started.next() => match outcome {
                Some(Ok(success)) => return Some(Ok(success)),
                Some(Err(error)) => last_error = Some(Err(error)),
                None => return last_error,
            },
            () = sleep(delay), if waiting.len() > 0 => {}
        }
    }
}

/// The addresses with their families in turn, each in the resolver's order (RFC 8305, section 4).
fn by_alternating_families(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut families = [first.into_iter(), second.into_iter()];
    let mut ordered = Vec::new();
    while families.iter().any(|family| family.len() > 0) {
        ordered.extend(families.iter_mut().filter_map(Iterator::next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::{future, net::SocketAddr, time::Duration};

    use tokio::time::timeout;

    use super::{by_alternating_families, try_addresses};

    /// The address with this last part, 6 for IPv6 in front of it.
    fn address(text: &str) -> SocketAddr {
        match text.strip_prefix('6') {
            Some(last) => format!("[2001:db8::{last}]:1").parse().unwrap(),
            None => format!("192.0.2.{text}:1").parse().unwrap(),
        }
    }

    #[test]
    fn families_take_turns() {
        for (given, expected) in
            [("61 62 63 1", "61 1 62 63"), ("1 2 61 62", "1 61 2 62"), ("1 2", "1 2"), ("", "")]
        {
            let addresses = |text: &str| text.split_whitespace().map(address).collect::<Vec<_>>();
            assert_eq!(by_alternating_families(addresses(given)), addresses(expected), "{given}");
        }
    }

    #[tokio::test(flavor = "local")]
    async fn an_attempt_starts_when_the_last_has_failed_or_is_silent() {
        let (silent, fails, succeeds) = (None, Some(false), Some(true));
        for (attempts, expected) in [
            (&[("1", succeeds), ("2", succeeds)][..], Some(Ok("1"))),
            (&[("1", silent), ("2", succeeds)], Some(Ok("2"))),
            (&[("61", silent), ("62", silent), ("1", succeeds)], Some(Ok("1"))),
            (&[("1", fails), ("2", succeeds)], Some(Ok("2"))),
            (&[("1", silent), ("2", fails), ("3", succeeds)], Some(Ok("3"))),
            (&[("1", fails), ("2", fails)], Some(Err("2"))),
            (&[], None),
        ] {
            let addresses = attempts.iter().map(|(last, _)| address(last)).collect();
            let attempt = async |at: SocketAddr| {
                let (name, outcome) =
                    attempts.iter().find(|(last, _)| address(last) == at).unwrap();
                match outcome {
                    None => future::pending().await,
                    Some(true) => Ok(*name),
                    Some(false) => Err(*name),
                }
            };
            let patience = Duration::from_secs(20);
            let outcome = timeout(patience, try_addresses(addresses, attempt)).await;
            assert_eq!(outcome, Ok(expected), "{attempts:?}");
        }
    }
}
