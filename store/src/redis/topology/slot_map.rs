//! The nodes that serve the hash slots of a cluster, by `CLUSTER SLOTS`.

use redis::Value;

use super::{cache::SlotRange, slot::SLOTS};
use crate::redis::{
    address::Host,
    connector::{Connector, Secrets},
    error::CommandError,
    resp::{addresses::try_each, reply::Reply},
};

/// Reads the slot map of a node, over a connection of its own.
pub(in crate::redis) async fn read(
    connector: &Connector,
    host: &Host,
    secrets: &Secrets,
) -> Result<Vec<SlotRange>, CommandError> {
    let read_at = async |address| {
        let connection = connector.connect_to(address, secrets).await?;
        let reply = match connection.slot_map().await {
            Err(CommandError::NoCommand(_) | CommandError::NoPermission(_)) => {
                let reason = format!("{host} does not let this user run CLUSTER SLOTS");
                return Err(CommandError::Refused(reason));
            }
            reply => reply?,
        };
        parse(&reply, host)
            .ok_or_else(|| CommandError::Refused(format!("{host} knows no node that serves slots")))
    };
    try_each(&host.clone().into(), read_at).await
}

/// Reads the reply to `CLUSTER SLOTS` of the node at `source`. `None` if it is of another shape or
/// names no node.
pub(super) fn parse(reply: &Reply, source: &Host) -> Option<Vec<SlotRange>> {
    let Reply::Other(Value::Array(entries)) = reply else { return None };
    let range = |entry: &Value| {
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
        let host = Host { name, port: u16::try_from(*port).ok()? }.or_name_of(source);
        let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
        (first <= last && last < SLOTS).then_some(SlotRange { first, last, host })
    };
    let ranges: Vec<_> = entries.iter().map(range).collect::<Option<_>>()?;
    // "?" stands for a node whose address is unknown.
    let ranges: Vec<_> = ranges.into_iter().filter(|range| range.host.name != "?").collect();
    (!ranges.is_empty()).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::{Host, Reply, SlotRange, parse};

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), port }
    }

    #[test]
    fn slot_maps_are_read_strictly() {
        let read = |text: &str| {
            let value = parse_redis_value(text.replace(' ', "\r\n").as_bytes()).unwrap();
            parse(&Reply::Other(value), &host("source", 1))
        };
        let two = "*2 *4 :0 :8191 *3 $1 a :7000 $2 id *3 $1 b :7001 $2 id \
                   *3 :8192 :16383 *4 $0  :7002 $2 id *2 $8 hostname $1 h ";
        let range = |first, last, host| SlotRange { first, last, host };
        let expected =
            vec![range(0, 8191, host("a", 7000)), range(8192, 16383, host("source", 7002))];
        assert_eq!(read(two), Some(expected));
        let no_name = "*1 *3 :5 :5 *2 $-1 :7000 ";
        assert_eq!(read(no_name), Some(vec![range(5, 5, host("source", 7000))]));
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
