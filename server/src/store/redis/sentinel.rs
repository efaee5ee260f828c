//! Which server is the primary, as Sentinels say.

use std::time::Duration;

use redis::Value;
use tokio::time::timeout;

use super::{
    fault::Fault,
    frame::Reply,
    reply,
    way::{Secrets, Way},
    wire::Wire,
};
use crate::settings::{Host, Topology};

/// A Sentinel that has not answered by then is passed over.
const PATIENCE: Duration = Duration::from_millis(300);

/// Asks one Sentinel after the other, each time beginning with another, until one knows.
pub(super) async fn primary(way: &Way, secrets: &Secrets) -> Result<Host, Fault> {
    let Topology::Sentinel { sentinels, service } = &way.settings.address.topology else {
        return Err(Fault::Refused("no Sentinel to ask".to_owned()));
    };
    let mut fault = Fault::Broken("no Sentinel answered in time".to_owned());
    let first = fastrand::usize(..sentinels.len());
    for sentinel in sentinels.iter().cycle().skip(first).take(sentinels.len()) {
        match timeout(PATIENCE, ask(sentinel, service, secrets)).await {
            Ok(Ok(host)) => return Ok(host),
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
