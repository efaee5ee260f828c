//! The role of the server behind a new connection, which must be a primary, and the only one.

use redis::Value;

use super::{
    error::CommandError,
    resp::{connection::Connection, reply::Reply},
};

const REPLICA: &str = "the server is a replica";
const SENTINEL: &str = "the server is a Sentinel: use redis+sentinel://HOST:PORT/NAME in --store";

/// Refuses a replica, which replies to a probe as a primary does and refuses the first check. Where
/// `ROLE` may not be run, or has a reply of another shape, that shows later.
///
/// Returns whether a proxy sent the reply. Envoy's puts the replies of all servers behind it into
/// one more array. More than one is refused: a batch goes to the server of its first key, so that a
/// bucket would be on several, each with tokens of its own.
pub(super) async fn require_primary(connection: &Connection) -> Result<bool, CommandError> {
    let reply = match connection.command(["ROLE"]).await {
        Ok(Reply::Other(reply)) => reply,
        Err(CommandError::Broken(reason)) => return Err(CommandError::Broken(reason)),
        _ => return Ok(false),
    };
    match fault(&reply) {
        Some(fault) => Err(CommandError::Broken(fault)),
        None => Ok(is_of_proxy(&reply)),
    }
}

/// The reason why the servers of a reply to `ROLE` are not one primary.
fn fault(reply: &Value) -> Option<String> {
    if says(reply, "slave") {
        return Some(REPLICA.to_owned());
    }
    if says(reply, "sentinel") {
        return Some(SENTINEL.to_owned());
    }
    match reply {
        Value::Array(replies) if is_of_proxy(reply) && replies.len() > 1 => Some(format!(
            "the proxy leads to {} servers, each with buckets of its own: give it one",
            replies.len()
        )),
        _ => None,
    }
}

/// Whether a reply to `ROLE` is an array of the replies of servers.
fn is_of_proxy(reply: &Value) -> bool {
    matches!(reply, Value::Array(replies) if matches!(replies.first(), Some(Value::Array(_))))
}

/// Whether a reply to `ROLE` names this role, for any server.
fn says(reply: &Value, role: &str) -> bool {
    let Value::Array(parts) = reply else { return false };
    match parts.first() {
        Some(Value::BulkString(name)) => name == role.as_bytes(),
        _ => parts.iter().any(|reply| says(reply, role)),
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::{REPLICA, SENTINEL, fault, is_of_proxy};

    #[test]
    fn only_one_primary_will_do() {
        let primary = "*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n";
        let replica = "*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n:7\r\n";
        let two = "the proxy leads to 2 servers, each with buckets of its own: give it one";
        for (text, expected, is_proxied) in [
            (primary.to_owned(), None, false),
            (replica.to_owned(), Some(REPLICA), false),
            ("*2\r\n$8\r\nsentinel\r\n*0\r\n".to_owned(), Some(SENTINEL), false),
            (format!("*1\r\n{primary}"), None, true),
            (format!("*1\r\n{replica}"), Some(REPLICA), true),
            (format!("*2\r\n{primary}{replica}"), Some(REPLICA), true),
            (format!("*2\r\n{primary}{primary}"), Some(two), true),
            (format!("*2\r\n{primary}-upstream failure\r\n"), Some(two), true),
            ("*0\r\n".to_owned(), None, false),
            ("+OK\r\n".to_owned(), None, false),
        ] {
            let reply = parse_redis_value(text.as_bytes()).unwrap();
            assert_eq!(fault(&reply).as_deref(), expected, "{text}");
            assert_eq!(is_of_proxy(&reply), is_proxied, "{text}");
        }
    }
}
