//! Which server is the primary, as Sentinels say.

use std::{
    cmp::Reverse,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use redis::Value;
use tokio::time::timeout;

use super::{
    fault::Fault,
    frame::Reply,
    reach::{Reach, Secrets},
    reply,
    wire::Wire,
};
use crate::settings::{Host, Topology};

/// Whom Sentinels named last, and when.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<Option<(Instant, Host)>>);

/// A Sentinel that has not answered by then is passed over.
const PATIENCE: Duration = Duration::from_millis(300);

// === impl Named ===

impl Named {
    fn within(&self, time: Duration) -> Option<Host> {
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.as_ref().filter(|(at, _)| at.elapsed() < time).map(|(_, host)| host.clone())
    }

    fn is(&self, host: &Host) {
        let named = Some((Instant::now(), host.clone()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = named;
    }
}

/// The primary; as it was named last if that was within that time.
pub(super) async fn primary(
    reach: &Reach,
    secrets: &Secrets,
    within: Duration,
) -> Result<Host, Fault> {
    if let Some(host) = reach.named.within(within) {
        return Ok(host);
    }
    primaries(reach, secrets).await.map(|mut named| named.swap_remove(0))
}

/// Whom the Sentinels name, at least one: first whom most of them do. One that was away does not know of
/// a failover until the others have told it.
pub(super) async fn primaries(reach: &Reach, secrets: &Secrets) -> Result<Vec<Host>, Fault> {
    let Topology::Sentinel { sentinels, service } = &reach.settings.address.topology else {
        return Err(Fault::Refused("no Sentinel to ask".to_owned()));
    };
    let answers = sentinels.iter().map(|it| timeout(PATIENCE, ask(it, service, secrets)));
    let (mut named, mut fault) = (Vec::<(usize, Host)>::new(), None);
    for answer in join_all(answers).await {
        match answer {
            Ok(Ok(host)) => match named.iter_mut().find(|(_, it)| *it == host) {
                Some((count, _)) => *count += 1,
                None => named.push((1, host)),
            },
            Ok(Err(why)) => fault = Some(why),
            Err(_) => {}
        }
    }
    named.sort_by_key(|(count, _)| Reverse(*count));
    match named.first() {
        Some((_, host)) => reach.named.is(host),
        None => {
            let late = || Fault::Broken("no Sentinel answered in time".to_owned());
            return Err(fault.unwrap_or_else(late));
        }
    }
    Ok(named.into_iter().map(|(_, host)| host).collect())
}

async fn ask(sentinel: &Host, service: &str, secrets: &Secrets) -> Result<Host, Fault> {
    let wire = Wire::connect(sentinel, secrets.tls.as_ref()).await?;
    wire.log_in(None, secrets.sentinel_password.as_deref(), 0).await?;
    let said = wire.say(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]).await?;
    let Reply::Other(Value::Array(parts)) = &said else {
        let reason = format!("{sentinel} does not watch a primary of the name in --store");
        return Err(Fault::Refused(reason));
    };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    match parts.as_slice() {
        [name, port] => {
            let (name, port) = text(name).zip(text(port)).ok_or_else(reply::nonsense)?;
            Ok(Host { name, port: port.parse().map_err(|_| reply::nonsense())? })
        }
        _ => Err(reply::nonsense()),
    }
}
