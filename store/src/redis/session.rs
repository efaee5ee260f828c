//! A connection that is logged in to the right server, and whose engine is known.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{
    address::Server,
    commands::{Command, CommandKind},
    connector::{Connector, Endpoint, Secrets},
    engine::{Engine, ScriptForm, WritePath},
    error::CommandError,
    resp::{
        addresses::try_each,
        connection::Connection,
        encode::CommandBuf,
        reply::{Reply, invalid},
    },
    role::require_primary,
    stall::{Stall, StallDetector},
    topology::sentinel,
};

/// A connection ready for requests.
pub(super) struct Session {
    pub(super) server: Server,
    pub(super) connection: Connection,
    pub(super) engine: Engine,
    pub(super) stall: StallDetector,
    /// Whether the server carried out a check when the session was opened.
    pub(super) write_path: WritePath,
    /// Whether a command was refused since the server last carried out a check.
    pub(super) is_doubtful: Cell<bool>,
    /// Whether a `PING` tells of the server: this user may run it, and no proxy replies to it.
    pings: bool,
    opened_at: Instant,
    /// The password used to log in.
    password: Option<String>,
    /// The age at which another session takes its place.
    max_age: Duration,
}

/// The most round trips that it takes to connect over TLS, log in, find the engine and time it.
const ROUND_TRIPS: u32 = 8;
/// The least time that these may take.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The most time that they may take.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// The reason of an attempt over TLS that has taken too long. A server without it may wait for the
/// end of what it takes for a line.
const SILENCE_OVER_TLS: &str =
    "no answer in time (if the server does not speak TLS here, use redis:// and so on in --store)";
/// Envoy passes `SELECT` on, over a connection that all its clients share.
const ONE_DATABASE: &str =
    "all clients of a proxy have the database that one selects: leave the number out in --store";
/// The least age at which a session is replaced; the greatest is twice that. A new one picks up
/// what has changed: addresses behind a name, load balancers, certificates.
const MIN_AGE: Duration = Duration::from_secs(600);
/// The age up to which the Sentinels' last answer is used: all workers together ask them once in
/// that time.
const PRIMARY_MAX_AGE: Duration = Duration::from_millis(900);

// === impl Session ===

impl Session {
    /// Connects, finds the engine by a check, and waits for the reply to a heartbeat within the
    /// deadline of a check. A session whose checks are refused is one all the same: to connect again
    /// would not help.
    pub(super) async fn open(
        endpoint: &Endpoint,
        connector: &Connector,
    ) -> Result<Self, CommandError> {
        let secrets = connector.secrets().await?;
        match endpoint {
            Endpoint::Server(server) => Self::open_at(server, connector, &secrets).await,
            Endpoint::Primary => {
                let primary = sentinel::primary(connector, &secrets).await?;
                Self::open_at(&primary.into(), connector, &secrets).await
            }
        }
    }

    async fn open_at(
        server: &Server,
        connector: &Connector,
        secrets: &Secrets,
    ) -> Result<Self, CommandError> {
        let late = |reason: &str| CommandError::Broken(reason.to_owned());
        let connect = async |address| {
            let connection = connector.connect_to(address, secrets).await?;
            let is_proxied = !connector.is_cluster() && require_primary(&connection).await?;
            let db = connector.settings.address.db;
            if is_proxied && db != 0 {
                return Err(CommandError::Broken(ONE_DATABASE.to_owned()));
            }
            connection.select(db).await?;
            let (engine, write_path) = Engine::find(connector.engine, &connection).await?;
            let mut pings = !is_proxied;
            // A server that replies, but later than checks can wait, would only make them late.
            let beat = timeout(connector.deadline, heartbeat(&connection, &engine, pings)).await;
            match beat.map_err(|_| late(Stall::Late.reason()))? {
                Ok(_) => {}
                // It refuses checks too, for the same reason, and connecting again would not help.
                Err(CommandError::Refused(reason)) if is_lasting(&reason) => {}
                Err(CommandError::NoCommand(_) | CommandError::NoPermission(_)) => pings = false,
                Err(error) => return Err(error),
            }
            Ok((connection, engine, write_path, pings))
        };
        // A server may be slow and still reply within the deadline.
        let patience = (connector.deadline * ROUND_TRIPS).clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        let connected = timeout(patience, try_each(server, connect)).await;
        let silence = if secrets.tls.is_some() { SILENCE_OVER_TLS } else { "no answer in time" };
        let (connection, engine, write_path, pings) = connected.map_err(|_| late(silence))??;
        let now = Instant::now();
        Ok(Self {
            server: server.clone(),
            connection,
            engine,
            stall: StallDetector::new(now),
            write_path,
            is_doubtful: Cell::new(false),
            pings,
            opened_at: now,
            password: secrets.password.clone(),
            max_age: MIN_AGE.mul_f64(1.0 + fastrand::f64()),
        })
    }

    /// Whether another session should take this one's place: it is old, the password has changed,
    /// or the Sentinels name another primary.
    pub(super) async fn is_outdated(
        &self,
        endpoint: &Endpoint,
        connector: &Connector,
    ) -> Result<bool, CommandError> {
        if self.opened_at.elapsed() >= self.max_age {
            return Ok(true);
        }
        let watches_password = connector.settings.watches_password;
        if !watches_password && *endpoint != Endpoint::Primary {
            return Ok(false);
        }
        let secrets = connector.secrets().await?;
        if watches_password && secrets.password != self.password {
            return Ok(true);
        }
        match endpoint {
            Endpoint::Server(_) => Ok(false),
            Endpoint::Primary => {
                let primary =
                    sentinel::recent_primary(connector, &secrets, PRIMARY_MAX_AGE).await?;
                Ok(Server::Host(primary) != self.server)
            }
        }
    }

    /// Sends a request that any server in order replies to.
    pub(super) async fn heartbeat(&self) -> Result<Reply, CommandError> {
        heartbeat(&self.connection, &self.engine, self.pings).await
    }

    /// Sends a command, in full if the server has lost the scripts.
    pub(super) async fn send(&self, command: &impl Command) -> Result<Reply, CommandError> {
        let encode = |form| self.engine.encode(command, form);
        match self.connection.send(&encode(ScriptForm::Hash)).await {
            // Not by loading it and sending its hash again: a flush could come in between.
            Err(CommandError::NoScript) => self.connection.send(&encode(ScriptForm::Full)).await,
            reply => reply,
        }
    }

    /// Sends a command to the node that a hash slot is moving to.
    pub(super) async fn send_asking(&self, command: &impl Command) -> Result<Reply, CommandError> {
        let send = async |form| {
            let mut buf = CommandBuf::of(["ASKING"]);
            buf.append(&self.engine.encode(command, form));
            match self.connection.send_all(&buf, 2).pop() {
                Some(reply) => reply.await,
                None => Err(invalid()),
            }
        };
        match send(ScriptForm::Hash).await {
            Err(CommandError::NoScript) => send(ScriptForm::Full).await,
            reply => reply,
        }
    }
}

async fn heartbeat(
    connection: &Connection,
    engine: &Engine,
    pings: bool,
) -> Result<Reply, CommandError> {
    if pings {
        return connection.command(["PING"]).await;
    }
    let peek = |form| connection.send(&engine.probe(CommandKind::Peek, form));
    match peek(ScriptForm::Hash).await {
        Err(CommandError::NoScript) => peek(ScriptForm::Full).await,
        reply => reply,
    }
}

/// Whether a server that refuses for this reason is to be kept: it runs, and knows this user.
fn is_lasting(reason: &str) -> bool {
    !["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "NOAUTH"]
        .iter()
        .any(|code| reason.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::is_lasting;

    #[test]
    fn a_server_that_starts_or_does_not_know_the_user_is_left() {
        for (reason, expected) in [
            ("LOADING Redis is loading the dataset in memory", false),
            ("NOAUTH Authentication required.", false),
            ("MISCONF Errors writing to the AOF file", true),
            ("ERR max daily request limit exceeded", true),
        ] {
            assert_eq!(is_lasting(reason), expected, "{reason}");
        }
    }
}
