//! The primary that Sentinels name.

use std::{cmp::Reverse, time::Duration};

use futures_util::future::join_all;
use redis::Value;
use tokio::time::timeout;

use crate::redis::{
    address::{Host, Topology},
    connector::{Connector, Secrets},
    error::CommandError,
    resp::{
        connection::Connection,
        reply::{Reply, invalid},
    },
};

/// The time after which a Sentinel that has not answered is skipped.
const SENTINEL_TIMEOUT: Duration = Duration::from_millis(300);

/// The current primary, from the cache if it was named within `max_age`.
pub(in crate::redis) async fn primary(
    connector: &Connector,
    secrets: &Secrets,
    max_age: Duration,
) -> Result<Host, CommandError> {
    if let Some(host) = connector.primary.within(max_age) {
        return Ok(host);
    }
    primaries(connector, secrets).await.map(|mut hosts| hosts.swap_remove(0))
}

/// The primaries that the Sentinels name, at least one, the one that most of them name first. A
/// Sentinel that was away learns of a failover only when the others have told it.
pub(in crate::redis) async fn primaries(
    connector: &Connector,
    secrets: &Secrets,
) -> Result<Vec<Host>, CommandError> {
    let Topology::Sentinel { sentinels, service } = &connector.settings.address.topology else {
        return Err(CommandError::Refused("no Sentinel is configured".to_owned()));
    };
    let answers =
        sentinels.iter().map(|it| timeout(SENTINEL_TIMEOUT, primary_by(it, service, secrets)));
    let (mut votes, mut last_error) = (Vec::<(usize, Host)>::new(), None);
    for answer in join_all(answers).await {
        match answer {
            Ok(Ok(host)) => match votes.iter_mut().find(|(_, it)| *it == host) {
                Some((count, _)) => *count += 1,
                None => votes.push((1, host)),
            },
            Ok(Err(error)) => last_error = Some(error),
            Err(_) => {}
        }
    }
    votes.sort_by_key(|(count, _)| Reverse(*count));
    match votes.first() {
        Some((_, host)) => connector.primary.store(host),
        None => {
            let late = || CommandError::Broken("no Sentinel answered in time".to_owned());
            return Err(last_error.unwrap_or_else(late));
        }
    }
    Ok(votes.into_iter().map(|(_, host)| host).collect())
}

/// The primary that one Sentinel names.
async fn primary_by(
    sentinel: &Host,
    service: &str,
    secrets: &Secrets,
) -> Result<Host, CommandError> {
    let connection = Connection::connect(sentinel, secrets.tls.as_ref()).await?;
    connection.log_in(None, secrets.sentinel_password.as_deref(), 0).await?;
    let reply = connection.command(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]).await?;
    let Reply::Other(Value::Array(parts)) = &reply else {
        let reason = format!("{sentinel} does not watch a primary of the name in --store");
        return Err(CommandError::Refused(reason));
    };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    match parts.as_slice() {
        [name, port] => {
            let (name, port) = text(name).zip(text(port)).ok_or_else(invalid)?;
            Ok(Host { name, port: port.parse().map_err(|_| invalid())? })
        }
        _ => Err(invalid()),
    }
}
