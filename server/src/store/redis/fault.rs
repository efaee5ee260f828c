//! What went wrong between this front and Redis, by what has to be done about it.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::settings::Host;

/// A failed command. Reasons are for the log: they hold nothing a caller has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The script is not loaded (restart, failover, SCRIPT FLUSH), so it did not run: load, ask again.
    NoScript,
    /// The server does not know the command, or this user may not run it: try the other engine.
    NoCommand,
    /// The server said no, over a sound connection: keep it.
    Refused(String),
    /// The connection, or the server behind it, is of no more use: replace it.
    Broken(String),
    /// Of a cluster's node, which did not run it: ask there.
    Elsewhere(Redirect),
}

/// Where a cluster's node says that a question belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// This slot is of that node. A name of "" stands for the node that was asked.
    Moved(u16, Host),
    /// The slot is on its way to that node; this question is for it, the next may not be.
    Ask(Host),
    /// Some of the keys are on their way: ask again, or about each by itself.
    Again,
}

// === impl Fault ===

impl Fault {
    /// For the log.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Refused(reason) | Self::Broken(reason) => reason,
            Self::NoScript => "it forgot the scripts".to_owned(),
            Self::NoCommand => "it lacks a command".to_owned(),
            Self::Elsewhere(_) => "it is a node of a cluster".to_owned(),
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        let reason = reason(&error);
        if let Some(redirect) = Redirect::of(&error) {
            return Self::Elsewhere(redirect);
        }
        let detail = error.detail().unwrap_or_default();
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::NoScript,
            ErrorKind::Server(ServerErrorKind::ResponseError)
                if detail.starts_with("unknown command") =>
            {
                Self::NoCommand
            }
            // The other NOPERM, about a key, says nothing about the command.
            ErrorKind::Server(ServerErrorKind::NoPerm) if detail.contains("to run the") => {
                Self::NoCommand
            }
            // A primary that became a replica: behind the same address there may be a new primary.
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Broken(reason),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(reason),
            _ => Self::Broken(reason),
        }
    }
}

// === impl Redirect ===

impl Redirect {
    fn of(error: &RedisError) -> Option<Self> {
        if error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain) {
            return Some(Self::Again);
        }
        let (node, slot) = error.redirect_node()?;
        let host = Host::parse(node)?;
        Some(match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => Self::Ask(host),
            _ => Self::Moved(slot, host),
        })
    }
}

/// The server's own words, up to the first opening quote: behind it Redis repeats what it was sent.
fn reason(error: &RedisError) -> String {
    let Some(code) = error.code() else {
        return error.to_string();
    };
    let detail = error.detail().unwrap_or_default();
    let (detail, _script) = detail.split_once(" script: ").unwrap_or((detail, ""));
    let mut before = ' ';
    let opens = |this: char| {
        let inside_a_word = std::mem::replace(&mut before, this).is_ascii_alphabetic();
        matches!(this, '\'' | '`' | '"') && !inside_a_word
    };
    let detail = detail.split(opens).next().unwrap_or_default();
    format!("{code} {detail}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use redis::{ErrorKind, RedisError, ServerError, parse_redis_value};

    use super::{Fault, Redirect};
    use crate::settings::Host;

    fn fault(line: &str) -> Fault {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        let redis::Value::ServerError(error) = value else { panic!("{value:?}") };
        let error: ServerError = error;
        Fault::from(RedisError::from(error))
    }

    #[test]
    fn by_what_has_to_be_done() {
        let refused = |reason: &str| Fault::Refused(reason.to_owned());
        let node = |name: &str| Host { name: name.to_owned(), port: 7001 };
        for (line, expected) in [
            ("NOSCRIPT No matching script. Please use EVAL.", Fault::NoScript),
            ("ERR unknown command 'RL.CHECK', with args beginning with: 'x' ", Fault::NoCommand),
            ("ERR unknown command `RL.CHECK`, with args beginning with: `x`, ", Fault::NoCommand),
            (
                "NOPERM this user has no permissions to run the 'rl.check' command or its subcommand",
                Fault::NoCommand,
            ),
            (
                "NOPERM User front has no permissions to run the 'rl.check' command",
                Fault::NoCommand,
            ),
            (
                "NOPERM No permissions to access a key",
                refused("NOPERM No permissions to access a key"),
            ),
            (
                "READONLY You can't write against a read only replica. script: c0de, on @user_script:7.",
                Fault::Broken("READONLY You can't write against a read only replica.".to_owned()),
            ),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                refused("WRONGTYPE Operation against a key holding the wrong kind of value"),
            ),
            ("OOM command not allowed", refused("OOM command not allowed")),
            ("CLUSTERDOWN Hash slot not served", refused("CLUSTERDOWN Hash slot not served")),
            ("TRYAGAIN Multiple keys", Fault::Elsewhere(Redirect::Again)),
            ("MOVED 7 10.0.0.2:7001", Fault::Elsewhere(Redirect::Moved(7, node("10.0.0.2")))),
            ("MOVED 7 :7001", Fault::Elsewhere(Redirect::Moved(7, node("")))),
            ("ASK 16383 ::1:7001", Fault::Elsewhere(Redirect::Ask(node("::1")))),
            ("ERR bad thing 'rl:{secret}'", refused("ERR bad thing")),
        ] {
            assert_eq!(fault(line), expected, "{line}");
        }
    }

    #[test]
    fn broken_connections() {
        for kind in
            [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::TimedOut]
        {
            let fault = Fault::from(RedisError::from(io::Error::from(kind)));
            assert!(matches!(fault, Fault::Broken(_)));
        }
        let garbage = RedisError::from((ErrorKind::Parse, "garbage"));
        assert!(matches!(Fault::from(garbage), Fault::Broken(_)));
    }
}
