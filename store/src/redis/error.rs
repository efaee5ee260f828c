//! Failures between this process and Redis, sorted by remedy.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::Host;
use crate::StoreError;

/// A failed command, by remedy. Reasons are for the log: they hold nothing that a caller has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandError {
    /// The script is not loaded (restart, failover, `SCRIPT FLUSH`), so it did not run: send it in
    /// full.
    NoScript,
    /// The server does not know this command: try the other engine.
    NoCommand(String),
    /// This user may not run this command: try the other engine.
    NoPermission(String),
    /// The server refused, over a sound connection: keep the connection.
    Refused(String),
    /// The connection, or the server behind it, is unusable: replace the connection.
    Broken(String),
    /// A cluster node redirected the command and did not run it: follow.
    Redirected(Redirect),
}

/// A cluster node's reply that another node serves the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// That node serves this hash slot. An empty host name stands for the node that replied.
    Moved(u16, Host),
    /// The slot is moving to that node, which serves this command; the next may be elsewhere.
    Ask(Host),
    /// Some of the keys are moving: try again, or send a command for each key.
    TryAgain,
}

/// A failed call to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallError {
    /// The node gave no decision.
    Store(StoreError),
    /// The key holds a value that is not a bucket. It was left as it is.
    NotABucket,
    /// The node did nothing: another node of the cluster serves the key.
    Redirected(Redirect),
}

// === impl CommandError ===

impl CommandError {
    /// The reason for the log.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Refused(reason) | Self::Broken(reason) => reason,
            Self::NoScript => "NOSCRIPT: the server has lost its scripts".to_owned(),
            Self::NoCommand(command) => format!("the server has no command {command}"),
            Self::NoPermission(command) => format!("NOPERM {command} may not be run by this user"),
            Self::Redirected(_) => "the server is a cluster node".to_owned(),
        }
    }

    /// Whether the server refused because of the key alone, and may accept others.
    pub(super) fn is_about_key(reason: &str) -> bool {
        reason == WRONG_TYPE
            || reason == "CLUSTERDOWN Hash slot not served"
            || (reason.starts_with("NOPERM") && reason.contains("key"))
    }
}

impl From<RedisError> for CommandError {
    fn from(error: RedisError) -> Self {
        let reason = reason(&error);
        if let Some(redirect) = Redirect::of(&error) {
            return Self::Redirected(redirect);
        }
        let detail = error.detail().unwrap_or_default();
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            ErrorKind::Server(ServerErrorKind::ResponseError)
                if detail.starts_with("unknown command") =>
            {
                Self::NoCommand(command_in(detail))
            }
            // Other NOPERM are about a key, or about a command inside a script.
            ErrorKind::Server(ServerErrorKind::NoPerm)
                if detail.contains("to run the") && !detail.contains("in script") =>
            {
                Self::NoPermission(command_in(detail))
            }
            // The primary became a replica. The same address may lead to the new primary.
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Broken(reason),
            _ if NO_UPSTREAM.contains(&reason.as_str()) => Self::Broken(reason),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(reason),
            _ => Self::Broken(reason),
        }
    }
}

// === impl CallError ===

impl CallError {
    /// The error to report to the caller.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::NotABucket | Self::Redirected(_) => StoreError::Failed,
        }
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

// === impl Redirect ===

impl Redirect {
    fn of(error: &RedisError) -> Option<Self> {
        if error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain) {
            return Some(Self::TryAgain);
        }
        let (node, slot) = error.redirect_node()?;
        let host = Host::parse(node)?;
        Some(match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => Self::Ask(host),
            _ => Self::Moved(slot, host),
        })
    }
}

/// The command that the server's text names in quotes.
fn command_in(detail: &str) -> String {
    let name = detail.split(is_quote).nth(1).unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".|-_".contains(&byte);
    if name.is_empty() || name.len() > MAX_WORD || !name.bytes().all(is_name) {
        return "the command".to_owned();
    }
    name.replace('|', " ").to_ascii_uppercase()
}

/// The first line of the server's text, up to the first quotation that may repeat what a caller
/// sent.
fn reason(error: &RedisError) -> String {
    let Some(code) = error.code() else {
        return error.to_string();
    };
    let detail = error.detail().unwrap_or_default().lines().next().unwrap_or_default();
    let detail = match detail.rsplit_once(" script: ") {
        Some((error, script)) if script.contains(", on ") => error,
        _ => detail,
    };
    format!("{code} {}", without_input(detail)).trim_end().to_owned()
}

/// Cuts the text where a quotation opens that is not one plain word, such as the name of an option
/// or of a function. Whatever callers send is inside the braces of a bucket's key.
fn without_input(text: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"{}".contains(&byte);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let is_inside_a_word = at > 0 && bytes[at - 1].is_ascii_alphabetic();
        if !is_quote(bytes[at].into()) || is_inside_a_word {
            at += 1;
            continue;
        }
        let quoted = &bytes[at + 1..];
        match quoted.iter().position(|byte| is_quote((*byte).into())) {
            Some(len) if len <= MAX_WORD && quoted[..len].iter().all(|byte| is_plain(*byte)) => {
                at += len + 2;
            }
            _ => return &text[..at],
        }
    }
    text
}

fn is_quote(char: char) -> bool {
    matches!(char, '\'' | '`' | '"')
}

/// The server's error for a key that holds another value.
pub(super) const WRONG_TYPE: &str =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
/// The replies of Envoy's proxy, over a sound connection, when the one to the server behind it is
/// not. When that is back it may lead to another server.
const NO_UPSTREAM: [&str; 3] = ["no upstream host", "upstream failure", "upstream protocol error"];
/// The longest quotation that is taken for a word of the server's.
const MAX_WORD: usize = 32;

#[cfg(test)]
mod tests {
    use std::io;

    use redis::{ErrorKind, RedisError, ServerError, parse_redis_value};

    use super::{CommandError, Redirect, WRONG_TYPE};
    use crate::redis::address::Host;

    fn error(line: &str) -> CommandError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        let redis::Value::ServerError(error) = value else { panic!("{value:?}") };
        let error: ServerError = error;
        CommandError::from(RedisError::from(error))
    }

    #[test]
    fn errors_are_sorted_by_remedy() {
        let refused = |reason: &str| CommandError::Refused(reason.to_owned());
        let node = |name: &str| Host { name: name.to_owned(), port: 7001 };
        for (line, expected) in [
            ("NOSCRIPT No matching script. Please use EVAL.", CommandError::NoScript),
            (
                "ERR unknown command 'RL.CHECK', with args beginning with: 'x' ",
                CommandError::NoCommand("RL.CHECK".to_owned()),
            ),
            (
                "ERR unknown command `rl.check`, with args beginning with: `x`, ",
                CommandError::NoCommand("RL.CHECK".to_owned()),
            ),
            (
                "NOPERM this user has no permissions to run the 'rl.check' command or its subcommand",
                CommandError::NoPermission("RL.CHECK".to_owned()),
            ),
            (
                "NOPERM User front has no permissions to run the 'script|load' command",
                CommandError::NoPermission("SCRIPT LOAD".to_owned()),
            ),
            (
                "NOPERM User front has no permissions to run the 'a b' command",
                CommandError::NoPermission("the command".to_owned()),
            ),
            (
                "NOPERM ACL failure in script: User x has no permissions to run the 'set' command",
                refused(
                    "NOPERM ACL failure in script: User x has no permissions to run the 'set' command",
                ),
            ),
            (
                "NOPERM No permissions to access a key",
                refused("NOPERM No permissions to access a key"),
            ),
            (
                "READONLY You can't write against a read only replica. script: c0de, on @user_script:7.",
                CommandError::Broken(
                    "READONLY You can't write against a read only replica.".to_owned(),
                ),
            ),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                refused("WRONGTYPE Operation against a key holding the wrong kind of value"),
            ),
            ("OOM command not allowed", refused("OOM command not allowed")),
            ("upstream failure", CommandError::Broken("upstream failure".to_owned())),
            ("no upstream host", CommandError::Broken("no upstream host".to_owned())),
            ("CLUSTERDOWN Hash slot not served", refused("CLUSTERDOWN Hash slot not served")),
            ("TRYAGAIN Multiple keys", CommandError::Redirected(Redirect::TryAgain)),
            (
                "MOVED 7 10.0.0.2:7001",
                CommandError::Redirected(Redirect::Moved(7, node("10.0.0.2"))),
            ),
            ("MOVED 7 :7001", CommandError::Redirected(Redirect::Moved(7, node("")))),
            ("ASK 16383 ::1:7001", CommandError::Redirected(Redirect::Ask(node("::1")))),
            ("ERR bad thing 'rl:{secret}'", refused("ERR bad thing")),
            ("ERR bad 'rl:{it's secret}' thing", refused("ERR bad")),
            ("ERR bad \"two words\" thing", refused("ERR bad")),
            ("ERR it's bad 'unclosed", refused("ERR it's bad")),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                refused("OOM command not allowed when used memory > 'maxmemory'."),
            ),
            (
                "ERR user_script:7: attempt to index global 'struct' (a nil value) script: c0de, on x.",
                refused("ERR user_script:7: attempt to index global 'struct' (a nil value)"),
            ),
            (
                "ERR in script: no 'struct'\nstack traceback:\n\t7",
                refused("ERR in script: no 'struct'"),
            ),
        ] {
            assert_eq!(error(line), expected, "{line}");
        }
    }

    #[test]
    fn some_refusals_are_about_one_key() {
        for (reason, expected) in [
            (WRONG_TYPE, true),
            ("NOPERM No permissions to access a key", true),
            ("NOPERM this user has no permissions to access one of the keys", true),
            ("CLUSTERDOWN Hash slot not served", true),
            ("CLUSTERDOWN The cluster is down", false),
            ("OOM command not allowed", false),
            ("NOREPLICAS Not enough good replicas to write.", false),
            ("ERR max daily request limit exceeded", false),
            ("NOPERM ACL failure in script: User x has no permissions to run", false),
        ] {
            assert_eq!(CommandError::is_about_key(reason), expected, "{reason}");
        }
    }

    #[test]
    fn errors_of_the_socket_break_the_connection() {
        for kind in
            [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::TimedOut]
        {
            let error = CommandError::from(RedisError::from(io::Error::from(kind)));
            assert!(matches!(error, CommandError::Broken(_)));
        }
        let garbage = RedisError::from((ErrorKind::Parse, "garbage"));
        assert!(matches!(CommandError::from(garbage), CommandError::Broken(_)));
    }
}
