//! Which server is the primary, as Sentinels say.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

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

/// The primary, as Sentinels named it last, and when.
#[derive(Debug, Default)]
pub(super) struct Primary(Mutex<Option<(Instant, Host)>>);

/// A Sentinel that has not answered by then is passed over.
const PATIENCE: Duration = Duration::from_millis(300);

// === impl Primary ===

impl Primary {
    fn known(&self, within: Duration) -> Option<Host> {
        let named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        named.as_ref().filter(|(at, _)| at.elapsed() < within).map(|(_, host)| host.clone())
    }

    fn is(&self, host: &Host) {
        let named = Some((Instant::now(), host.clone()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = named;
    }
}

/// The primary; asked for unless it was `within` that time.
///
/// Asks one Sentinel after the other, each time beginning with another, until one knows.
pub(super) async fn primary(
    reach: &Reach,
    secrets: &Secrets,
    within: Duration,
) -> Result<Host, Fault> {
    if let Some(host) = reach.primary.known(within) {
        return Ok(host);
    }
    let Topology::Sentinel { sentinels, service } = &reach.settings.address.topology else {
        return Err(Fault::Refused("no Sentinel to ask".to_owned()));
    };
    let mut fault = Fault::Broken("no Sentinel answered in time".to_owned());
    let first = fastrand::usize(..sentinels.len());
    for sentinel in sentinels.iter().cycle().skip(first).take(sentinels.len()) {
        match timeout(PATIENCE, ask(sentinel, service, secrets)).await {
            Ok(Ok(host)) => {
                reach.primary.is(&host);
                return Ok(host);
            }
            Ok(Err(why)) => fault = why,
            Err(_) => {}
        }
    }
    Err(fault)
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
