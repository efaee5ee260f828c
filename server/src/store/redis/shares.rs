//! Who has which slots of a cluster, as its nodes tell.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use redis::Value;

use super::{
    fault::Fault,
    frame::Reply,
    reach::{Reach, Secrets},
    slot::SLOTS,
};
use crate::settings::Host;

/// The map, as a worker was told it last, and when.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<Option<(Instant, Arc<[Share]>)>>);

/// Slots in a row, and the node that has them.
#[derive(Debug, PartialEq)]
pub(super) struct Share {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) host: Host,
}

// === impl Shares ===

impl Shares {
    /// As it was told since that moment.
    pub(super) fn since(&self, moment: Instant) -> Option<Arc<[Share]>> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_ref().filter(|(at, _)| *at >= moment).map(|(_, shares)| shares.clone())
    }

    pub(super) fn are(&self, shares: Arc<[Share]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), shares));
    }
}

impl Host {
    /// Of a node without a name: it is where the one is that tells of it.
    pub(super) fn or_of(self, teller: &Self) -> Self {
        if self.name.is_empty() { Self { name: teller.name.clone(), ..self } } else { self }
    }
}

/// What this node tells, over a connection of its own.
pub(super) async fn ask(
    reach: &Reach,
    host: &Host,
    secrets: &Secrets,
) -> Result<Vec<Share>, Fault> {
    let wire = reach.connect(host, secrets).await?;
    let reply = match wire.say(["CLUSTER", "SLOTS"]).await {
        Err(Fault::NoCommand) => {
            let reason = format!("{host} does not let this user run CLUSTER SLOTS");
            return Err(Fault::Refused(reason));
        }
        reply => reply?,
    };
    shares(&reply, host)
        .ok_or_else(|| Fault::Refused(format!("{host} knows of no node that has slots")))
}

/// The reply to `CLUSTER SLOTS`; `None` if it is another, or names nobody.
pub(super) fn shares(reply: &Reply, teller: &Host) -> Option<Vec<Share>> {
    let Reply::Other(Value::Array(each)) = reply else { return None };
    let share = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = parts.as_slice()
        else {
            return None;
        };
        let [name, Value::Int(port), ..] = primary.as_slice() else { return None };
        let name = match name {
            Value::BulkString(name) => String::from_utf8(name.clone()).ok()?,
            Value::Nil => String::new(),
            _ => return None,
        };
        let host = Host { name, port: u16::try_from(*port).ok()? }.or_of(teller);
        let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
        (first <= last && last < SLOTS).then_some(Share { first, last, host })
    };
    // "?" stands for a node whose address nobody knows.
    let shares: Vec<_> = each.iter().map(share).collect::<Option<_>>()?;
    let shares: Vec<_> = shares.into_iter().filter(|share| share.host.name != "?").collect();
    (!shares.is_empty()).then_some(shares)
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::{Reply, Share, shares};
    use crate::settings::Host;

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), port }
    }

    #[test]
    fn what_a_node_tells() {
        let read = |text: &str| {
            let value = parse_redis_value(text.replace(' ', "\r\n").as_bytes()).unwrap();
            shares(&Reply::Other(value), &host("teller", 1))
        };
        let two = "*2 *4 :0 :8191 *3 $1 a :7000 $2 id *3 $1 b :7001 $2 id \
                   *3 :8192 :16383 *4 $0  :7002 $2 id *2 $8 hostname $1 h ";
        let share = |first, last, host| Share { first, last, host };
        let expected =
            vec![share(0, 8191, host("a", 7000)), share(8192, 16383, host("teller", 7002))];
        assert_eq!(read(two), Some(expected));
        let nameless = "*1 *3 :5 :5 *2 $-1 :7000 ";
        assert_eq!(read(nameless), Some(vec![share(5, 5, host("teller", 7000))]));
        for nothing in [
            "*0 ",
            ":1 ",
            "*1 :1 ",
            "*1 *3 :5 :5 *2 $1 ? :7000 ",
            "*1 *3 :5 :4 *2 $1 a :7000 ",
            "*1 *3 :5 :16384 *2 $1 a :7000 ",
            "*1 *3 :5 :5 *2 $1 a :70000 ",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
