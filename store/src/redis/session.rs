//! A connection that is logged in to the right server, and whose engine is known.

use std::time::{Duration, Instant};

use redis::Value;
use tokio::time::timeout;

use super::{
    address::Host,
    commands::Command,
    connector::{Connector, Endpoint, Secrets},
    engine::{Engine, ScriptForm},
    error::CommandError,
    resp::{
        connection::Connection,
        encode::CommandBuf,
        reply::{Reply, invalid},
    },
    stall::StallDetector,
    topology::sentinel,
};

/// A connection ready for requests.
pub(super) struct Session {
    pub(super) host: Host,
    pub(super) connection: Connection,
    pub(super) engine: Engine,
    pub(super) stall: StallDetector,
    opened_at: Instant,
    /// The password used to log in.
    password: Option<String>,
    /// The age at which another session takes its place.
    max_age: Duration,
}

/// The longest it may take to connect, log in and find the engine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The least age at which a session is replaced; the greatest is twice that. A new one picks up
/// what has changed: addresses behind a name, load balancers, certificates.
const MIN_AGE: Duration = Duration::from_secs(600);
/// The age up to which the Sentinels' last answer is used: all workers together ask them once in
/// that time.
const PRIMARY_MAX_AGE: Duration = Duration::from_millis(900);

// === impl Session ===

impl Session {
    /// Connects, finds the engine, and waits for the reply to a probe within the deadline of a
    /// check.
    pub(super) async fn open(
        endpoint: &Endpoint,
        connector: &Connector,
    ) -> Result<Self, CommandError> {
        let secrets = connector.secrets().await?;
        match endpoint {
            Endpoint::Server(host) => Self::open_at(host, connector, &secrets).await,
            Endpoint::Primary => {
                let mut session =
                    Err(CommandError::Broken("no Sentinel named a primary".to_owned()));
                for host in sentinel::primaries(connector, &secrets).await? {
                    session = Self::open_at(&host, connector, &secrets).await;
                    if session.is_ok() {
                        break;
                    }
                }
                session
            }
        }
    }

    async fn open_at(
        host: &Host,
        connector: &Connector,
        secrets: &Secrets,
    ) -> Result<Self, CommandError> {
        let connect = async {
            let connection = connector.connect(host, secrets).await?;
            if !connector.is_cluster() {
                require_primary(&connection).await?;
            }
            let engine = Engine::find(connector.engine, &connection).await?;
            Ok::<_, CommandError>((connection, engine))
        };
        let late = |reason: &str| CommandError::Broken(reason.to_owned());
        let connected = timeout(CONNECT_TIMEOUT, connect).await;
        let (connection, engine) = connected.map_err(|_| late("no answer in time"))??;
        // A server that replies, but later than checks can wait, would only make them late.
        let ping = timeout(connector.deadline, engine.ping(&connection)).await;
        ping.map_err(|_| late("replies take longer than the deadline"))??;
        let now = Instant::now();
        Ok(Self {
            host: host.clone(),
            connection,
            engine,
            stall: StallDetector::new(now),
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
                let primary = sentinel::primary(connector, &secrets, PRIMARY_MAX_AGE).await?;
                Ok(primary != self.host)
            }
        }
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

/// Refuses a replica, which replies to a probe as a primary does and refuses the first check. A
/// user who may not run `ROLE` finds out then.
async fn require_primary(connection: &Connection) -> Result<(), CommandError> {
    match connection.command(["ROLE"]).await {
        Ok(Reply::Other(Value::Array(parts))) => match parts.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(()),
            _ => Err(CommandError::Broken("the server is a replica".to_owned())),
        },
        Err(CommandError::Broken(reason)) => Err(CommandError::Broken(reason)),
        _ => Ok(()),
    }
}
