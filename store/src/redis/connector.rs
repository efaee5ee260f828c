//! The state that all workers connect with: settings, secrets, and one gate for each endpoint.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    address::{Server, Topology},
    engine::EngineChoice,
    error::CommandError,
    reconnect_gate::ReconnectGate,
    resp::{
        addresses::{Address, try_each},
        connection::Connection,
        tls::TlsConfig,
    },
    settings::RedisSettings,
    topology::{PrimaryCache, SlotMapCache},
};
use crate::StoreHealth;

/// Settings of a Redis store, and the state that its workers share. It keeps no connection:
/// [`RedisStore::start`](super::RedisStore::start) does, once for each worker.
#[derive(Debug)]
pub struct Connector {
    pub(super) settings: RedisSettings,
    pub(super) engine: EngineChoice,
    /// The longest a request may wait for its reply.
    pub(super) deadline: Duration,
    pub(super) health: Arc<StoreHealth>,
    pub(super) primary: PrimaryCache,
    pub(super) slot_map: SlotMapCache,
    /// The gate to ask a cluster for its slot map.
    pub(super) slot_map_gate: ReconnectGate,
    gates: Mutex<HashMap<Endpoint, Arc<ReconnectGate>>>,
}

/// The server that a node client connects to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    /// This server.
    Server(Server),
    /// The primary that the Sentinels name.
    Primary,
}

/// The secrets in files, as they are now.
pub(super) struct Secrets {
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) tls: Option<TlsConfig>,
}

// === impl Connector ===

impl Connector {
    /// A connector for a Redis with these settings. A request waits for its reply for at most
    /// `deadline`; the state of the store is reported to `health`.
    pub fn new(
        settings: RedisSettings,
        engine: EngineChoice,
        deadline: Duration,
        health: Arc<StoreHealth>,
    ) -> Self {
        Self {
            settings,
            engine,
            deadline,
            health,
            primary: PrimaryCache::default(),
            slot_map: SlotMapCache::default(),
            slot_map_gate: ReconnectGate::new(),
            gates: Mutex::default(),
        }
    }

    /// The gate to connect to an endpoint.
    pub(super) fn gate(&self, endpoint: &Endpoint) -> Arc<ReconnectGate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|it, gate| it == endpoint || Arc::strong_count(gate) > 1);
        gates.entry(endpoint.clone()).or_insert_with(|| Arc::new(ReconnectGate::new())).clone()
    }

    /// Reads the files, on a thread that may block: they may be on a network that hangs.
    pub(super) async fn secrets(&self) -> Result<Secrets, CommandError> {
        let settings = self.settings.clone();
        let read = self.settings.reader.run(move || {
            Ok(Secrets {
                password: settings.password()?,
                sentinel_password: settings.sentinel_password()?,
                tls: settings.tls.as_ref().map(TlsConfig::read).transpose()?,
            })
        });
        read.await.map_err(CommandError::Refused)
    }

    /// Connects to a server, logs in, and selects the database.
    pub(super) async fn connect(
        &self,
        server: &Server,
        secrets: &Secrets,
    ) -> Result<Connection, CommandError> {
        let connect = async |address| {
            let connection = self.connect_to(address, secrets).await?;
            connection.select(self.settings.address.db).await?;
            Ok(connection)
        };
        try_each(server, connect).await
    }

    /// Connects to an address of a server and logs in.
    pub(super) async fn connect_to(
        &self,
        address: Address<'_>,
        secrets: &Secrets,
    ) -> Result<Connection, CommandError> {
        let connection = Connection::connect(address, secrets.tls.as_ref()).await?;
        let address = &self.settings.address;
        let (user, password) = (address.user.as_deref(), secrets.password.as_deref());
        let logged_in = connection.log_in(user, password).await;
        logged_in.inspect_err(|_| self.settings.forget_token())?;
        Ok(connection)
    }

    /// Whether the servers are the nodes of a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.settings.address.topology, Topology::Cluster(_))
    }
}
