//! A connection that has answered: the server's engine is known, and it is the right server.

use std::time::{Duration, Instant};

use redis::Value;
use tokio::time::timeout;

use super::{
    command::Form,
    engine::Engine,
    fault::Fault,
    frame::Reply,
    reach::{Place, Reach, Secrets},
    reply, sentinel,
    silence::Silence,
    wire::Wire,
    words::Words,
};
use crate::settings::Host;

/// A connection that has answered.
pub(super) struct Live {
    pub(super) host: Host,
    pub(super) wire: Wire,
    pub(super) engine: Engine,
    pub(super) silence: Silence,
    pub(super) since: Instant,
    /// With which it logged in.
    password: Option<String>,
    /// When another takes its place.
    age: Duration,
}

/// To connect, log in and find the engine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How old a connection grows, at the least; at the most twice that. A new one meets what has changed
/// since: addresses behind a name, load balancers, certificates.
const AGE: Duration = Duration::from_secs(600);
/// What Sentinels said is news for so long: all workers together ask them once in that time.
const NEWS: Duration = Duration::from_millis(900);

// === impl Live ===

impl Live {
    /// Connects, and asks what a check would ask, within the deadline of one.
    pub(super) async fn connect(place: &Place, reach: &Reach) -> Result<Self, Fault> {
        let secrets = reach.secrets().await?;
        match place {
            Place::Server(host) => Self::connect_to(host, reach, &secrets).await,
            Place::Primary => {
                let mut live = Err(Fault::Broken("no Sentinel named a primary".to_owned()));
                for host in sentinel::primaries(reach, &secrets).await? {
                    live = Self::connect_to(&host, reach, &secrets).await;
                    if live.is_ok() {
                        break;
                    }
                }
                live
            }
        }
    }

    async fn connect_to(host: &Host, reach: &Reach, secrets: &Secrets) -> Result<Self, Fault> {
        let connecting = async {
            let wire = reach.connect(host, secrets).await?;
            if !reach.is_cluster() {
                must_be_primary(&wire).await?;
            }
            let engine = Engine::find(reach.engine, &wire).await?;
            Ok::<_, Fault>((wire, engine))
        };
        let late = |reason: &str| Fault::Broken(reason.to_owned());
        let connected = timeout(CONNECT_TIMEOUT, connecting).await;
        let (wire, engine) = connected.map_err(|_| late("no answer in time"))??;
        // It works; but whether it is of use, checks would have to find out.
        let probed = timeout(reach.deadline, engine.answers(&wire)).await;
        probed.map_err(|_| late("it answers, but not within the deadline"))??;
        let now = Instant::now();
        let (silence, age) = (Silence::new(now), AGE.mul_f64(1.0 + fastrand::f64()));
        let (host, password) = (host.clone(), secrets.password.clone());
        Ok(Self { host, wire, engine, silence, password, since: now, age })
    }

    /// Whether another connection would be a better one.
    pub(super) async fn is_outdated(&self, place: &Place, reach: &Reach) -> Result<bool, Fault> {
        if self.since.elapsed() >= self.age {
            return Ok(true);
        }
        let watches = reach.watches_password();
        if !watches && *place != Place::Primary {
            return Ok(false);
        }
        let secrets = reach.secrets().await?;
        if watches && secrets.password != self.password {
            return Ok(true);
        }
        match place {
            Place::Server(_) => Ok(false),
            Place::Primary => Ok(sentinel::primary(reach, &secrets, NEWS).await? != self.host),
        }
    }

    /// Sends what `say` says to the engine, in full if the server has forgotten the scripts.
    pub(super) async fn send(&self, say: impl Fn(&Engine, Form) -> Words) -> Result<Reply, Fault> {
        match self.wire.send(&say(&self.engine, Form::Hash)).await {
            // Not by loading and naming it again: a flush in between would find that too.
            Err(Fault::NoScript) => self.wire.send(&say(&self.engine, Form::Full)).await,
            reply => reply,
        }
    }

    /// The same to a node to which the slot is on its way.
    pub(super) async fn send_asking(
        &self,
        say: impl Fn(&Engine, Form) -> Words,
    ) -> Result<Reply, Fault> {
        let ask = async |form| {
            let mut words = Words::command(1);
            words.word("ASKING");
            words.append(&say(&self.engine, form));
            match self.wire.send_all(&words, 2).pop() {
                Some(reply) => reply.await,
                None => Err(reply::nonsense()),
            }
        };
        match ask(Form::Hash).await {
            Err(Fault::NoScript) => ask(Form::Full).await,
            reply => reply,
        }
    }
}

/// A replica answers a probe as a primary does, and refuses the first check. Whoever may not ask for the role
/// learns it then.
async fn must_be_primary(wire: &Wire) -> Result<(), Fault> {
    match wire.say(["ROLE"]).await {
        Ok(Reply::Other(Value::Array(parts))) => match parts.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(()),
            _ => Err(Fault::Broken("it is a replica".to_owned())),
        },
        Err(Fault::Broken(reason)) => Err(Fault::Broken(reason)),
        _ => Ok(()),
    }
}
