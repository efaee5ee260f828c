//! The primary that Sentinels name.

use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::timeout;

use crate::redis::{
    address::{Host, Topology},
    connector::{Connector, Secrets},
    error::CommandError,
    resp::{
        addresses::try_each,
        connection::Connection,
        reply::{Reply, invalid},
    },
};

/// The time after which a Sentinel that has not answered is skipped.
const SENTINEL_TIMEOUT: Duration = Duration::from_millis(300);

/// The answers of the Sentinels.
#[derive(Default)]
struct Votes {
    /// How many name each primary.
    counts: Vec<(usize, Host)>,
    last_error: Option<CommandError>,
}

/// The current primary, from the cache if it was named within `max_age`.
pub(in crate::redis) async fn recent_primary(
    connector: &Connector,
    secrets: &Secrets,
    max_age: Duration,
) -> Result<Host, CommandError> {
    match connector.primary.within(max_age) {
        Some(host) => Ok(host),
        None => primary(connector, secrets).await,
    }
}

/// The primary that a majority of the configured Sentinels names. Fewer may be those that are cut
/// off, and name the primary of their own side; on the other there may be another.
pub(in crate::redis) async fn primary(
    connector: &Connector,
    secrets: &Secrets,
) -> Result<Host, CommandError> {
    let Topology::Sentinel { sentinels, service } = &connector.settings.address.topology else {
        return Err(CommandError::Refused("no Sentinel is configured".to_owned()));
    };
    let answers =
        sentinels.iter().map(|it| timeout(SENTINEL_TIMEOUT, primary_by(it, service, secrets)));
    let mut votes = Votes::default();
    for answer in join_all(answers).await {
        match answer {
            Ok(Ok(host)) => votes.add(host),
            Ok(Err(error)) => votes.last_error = Some(error),
            Err(_) => {}
        }
    }
    let primary = votes.winner(sentinels.len())?;
    connector.primary.store(&primary);
    Ok(primary)
}

/// The primary that one Sentinel names.
async fn primary_by(
    sentinel: &Host,
    service: &str,
    secrets: &Secrets,
) -> Result<Host, CommandError> {
    let ask = async |address| {
        let connection = Connection::connect(address, secrets.tls.as_ref()).await?;
        connection.log_in(None, secrets.sentinel_password.as_deref()).await?;
        connection.command(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]).await
    };
    let reply = try_each(&sentinel.clone().into(), ask).await.map_err(|error| match error {
        CommandError::NoCommand(_) | CommandError::NoPermission(_) => {
            let reason = format!("{sentinel} is no Sentinel, or this user may not ask it");
            CommandError::Refused(reason)
        }
        error => error,
    })?;
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

// === impl Votes ===

impl Votes {
    fn add(&mut self, host: Host) {
        match self.counts.iter_mut().find(|(_, it)| *it == host) {
            Some((count, _)) => *count += 1,
            None => self.counts.push((1, host)),
        }
    }

    /// The primary that more than half of `sentinels` name.
    fn winner(self, sentinels: usize) -> Result<Host, CommandError> {
        let Self { counts, last_error } = self;
        if counts.is_empty() {
            let late = || CommandError::Broken("no Sentinel answered in time".to_owned());
            return Err(last_error.unwrap_or_else(late));
        }
        let named: Vec<_> = counts.iter().map(|(count, host)| format!("{count} {host}")).collect();
        let winner = counts.into_iter().find(|(count, _)| 2 * count > sentinels);
        winner.map(|(_, host)| host).ok_or_else(|| {
            CommandError::Broken(format!(
                "no majority of the {sentinels} Sentinels names one primary: {}",
                named.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandError, Host, Votes};

    #[test]
    fn a_primary_is_named_by_more_than_half() {
        let none = "no Sentinel answered in time";
        for (sentinels, named, expected) in [
            (3, "a a a", Ok("a")),
            (3, "a b a", Ok("a")),
            (3, "b b", Ok("b")),
            (1, "a", Ok("a")),
            (2, "a", Err("no majority of the 2 Sentinels names one primary: 1 a:1")),
            (3, "a", Err("no majority of the 3 Sentinels names one primary: 1 a:1")),
            (3, "a b", Err("no majority of the 3 Sentinels names one primary: 1 a:1, 1 b:1")),
            (4, "a b b a", Err("no majority of the 4 Sentinels names one primary: 2 a:1, 2 b:1")),
            (3, "", Err(none)),
        ] {
            let mut votes = Votes::default();
            let host = |name: &str| Host { name: name.to_owned(), port: 1 };
            named.split_whitespace().for_each(|name| votes.add(host(name)));
            let expected =
                expected.map(host).map_err(|reason| CommandError::Broken(reason.to_owned()));
            assert_eq!(votes.winner(sentinels), expected, "{sentinels} Sentinels: {named}");
        }
    }
}
