//! How Redis is reached: what all workers have in common.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::rt::task::spawn_blocking;

use super::{fault::Fault, sentinel::Named, shares::Shares, tls::Tls, turn::Turn, wire::Wire};
use crate::{
    settings::{EngineChoice, Host, RedisSettings, Topology},
    status::Status,
};

/// Settings of a store, and how all workers are doing with it.
#[derive(Debug)]
pub struct Reach {
    pub(super) settings: RedisSettings,
    pub(super) engine: EngineChoice,
    /// Of a check.
    pub(super) deadline: Duration,
    pub(super) status: Arc<Status>,
    /// As Sentinels named the primary last.
    pub(super) named: Named,
    /// Who has which slot of a cluster, as it said last.
    pub(super) shares: Shares,
    /// To ask a cluster.
    pub(super) map_turn: Turn,
    turns: Mutex<HashMap<Place, Arc<Turn>>>,
}

/// Where a lane leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// To this server.
    Server(Host),
    /// To the primary that the Sentinels name.
    Primary,
}

/// What is read from files, as it is now.
pub(super) struct Secrets {
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) tls: Option<Tls>,
}

// === impl Reach ===

impl Reach {
    /// A store as these settings say, with checks that wait so long; how it goes shows in `status`.
    pub fn new(
        settings: RedisSettings,
        engine: EngineChoice,
        deadline: Duration,
        status: Arc<Status>,
    ) -> Self {
        Self {
            settings,
            engine,
            deadline,
            status,
            named: Named::default(),
            shares: Shares::default(),
            map_turn: Turn::new(),
            turns: Mutex::default(),
        }
    }

    /// The turn to connect to a place.
    pub(super) fn turn(&self, place: &Place) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|at, turn| at == place || Arc::strong_count(turn) > 1);
        turns.entry(place.clone()).or_insert_with(|| Arc::new(Turn::new())).clone()
    }

    /// Reads the files. They may lie on a network: it is done on a thread that may wait.
    pub(super) async fn secrets(&self) -> Result<Secrets, Fault> {
        let settings = self.settings.clone();
        let read = spawn_blocking(move || {
            Ok::<_, String>(Secrets {
                password: settings.password()?,
                sentinel_password: settings.sentinel_password()?,
                tls: settings.tls.as_ref().map(Tls::read).transpose()?,
            })
        });
        let read = read.await.unwrap_or_else(|_| Err("files were not read".to_owned()));
        read.map_err(Fault::Refused)
    }

    /// Whether the password is to be looked at while a connection is in use.
    pub(super) fn watches_password(&self) -> bool {
        self.settings.watches_password
    }

    /// Connects to a server and logs in.
    pub(super) async fn connect(&self, host: &Host, secrets: &Secrets) -> Result<Wire, Fault> {
        let wire = Wire::connect(host, secrets.tls.as_ref()).await?;
        let address = &self.settings.address;
        let (user, password) = (address.user.as_deref(), secrets.password.as_deref());
        let logged_in = wire.log_in(user, password, address.db).await;
        logged_in.inspect_err(|_| self.settings.password_refused())?;
        Ok(wire)
    }

    /// Whether the servers are nodes of a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.settings.address.topology, Topology::Cluster(_))
    }
}
