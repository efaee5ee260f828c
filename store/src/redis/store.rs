//! One worker's store in Redis, whatever its topology.

use std::{fmt, rc::Rc, sync::Arc};

use futures_util::future::join_all;
use rl_bucket::{Decision, Op};

use super::{
    address::Topology,
    client::NodeClient,
    commands::{CheckAll, Command, MCheck, Reset, Take, charge, peek, refund},
    connector::{Connector, Endpoint},
    error::CallError,
    topology::cluster::ClusterClient,
    worker::Worker,
};
use crate::{BucketRequest, JointDecision, NotABucket, StoreError};

/// Buckets in Redis, as one worker uses them.
///
/// Every request is answered within the deadline, and is sent at most once unless the server says
/// that it was not carried out. A store belongs to the thread that started it.
pub struct RedisStore(Client);

enum Client {
    /// For one server: a given one, or the primary that Sentinels name.
    Node(NodeClient),
    Cluster(ClusterClient),
}

// === impl RedisStore ===

impl RedisStore {
    /// Starts connecting, on this thread's runtime, and does not wait for it.
    ///
    /// Must be called inside a Tokio [`LocalSet`](tokio::task::LocalSet) or
    /// [`LocalRuntime`](tokio::runtime::LocalRuntime).
    pub fn start(connector: Arc<Connector>) -> Self {
        let topology = connector.settings.address.topology.clone();
        let worker = Rc::new(Worker::new(connector));
        Self(match topology {
            Topology::Single(host) => {
                Client::Node(NodeClient::start(Endpoint::Server(host), worker))
            }
            Topology::Sentinel { .. } => Client::Node(NodeClient::start(Endpoint::Primary, worker)),
            Topology::Cluster(seeds) => Client::Cluster(ClusterClient::start(seeds, worker)),
        })
    }

    /// Carries out an operation on one bucket. Checks share round trips with others.
    pub async fn apply(&self, op: Op, request: &BucketRequest<'_>) -> Result<Decision, StoreError> {
        match op {
            Op::Check => self.check(request).await.map_err(CallError::into_store_error),
            Op::Peek => self.call(request.key, &peek(request)).await,
            Op::Refund => self.call(request.key, &refund(request)).await,
            Op::Charge => self.call(request.key, &charge(request)).await,
        }
    }

    /// Takes as many whole tokens as there are, at most the amount. Returns how many, and the
    /// decision.
    pub async fn take(&self, request: &BucketRequest<'_>) -> Result<(u64, Decision), StoreError> {
        self.call(request.key, &Take(request)).await
    }

    /// Makes independent checks, in order.
    pub async fn check_each(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Result<Vec<Result<Decision, StoreError>>, StoreError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        match &self.0 {
            Client::Node(node) => {
                let decisions = node.call(&MCheck(requests)).await;
                let decisions = decisions.map_err(CallError::into_store_error)?.into_iter();
                Ok(decisions.map(|it| it.map_err(|NotABucket| StoreError::Failed)).collect())
            }
            // Each on its own: where one node is away, the keys of the others are decided.
            Client::Cluster(cluster) => {
                let outcomes = requests.iter().map(|request| cluster.check(request));
                let outcomes = join_all(outcomes).await.into_iter();
                Ok(outcomes.map(|it| it.map_err(CallError::into_store_error)).collect())
            }
        }
    }

    /// Takes from every bucket, or from none. In a cluster all keys must share a hash slot.
    pub async fn check_all(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Result<JointDecision, StoreError> {
        let Some(first) = requests.first() else {
            return Ok(JointDecision { denied: None, decisions: Vec::new() });
        };
        self.call(first.key, &CheckAll(requests)).await
    }

    /// Deletes buckets and returns how many there were. In a cluster all keys must share a hash
    /// slot.
    pub async fn reset(&self, keys: &[&[u8]]) -> Result<u64, StoreError> {
        let Some(first) = keys.first() else { return Ok(0) };
        self.call(first, &Reset(keys)).await
    }

    async fn check(&self, request: &BucketRequest<'_>) -> Result<Decision, CallError> {
        match &self.0 {
            Client::Node(node) => node.check(request).await,
            Client::Cluster(cluster) => cluster.check(request).await,
        }
    }

    /// Sends a command about `key`, and others of its slot.
    async fn call<C: Command>(&self, key: &[u8], command: &C) -> Result<C::Output, StoreError> {
        let outcome = match &self.0 {
            Client::Node(node) => node.call(command).await,
            Client::Cluster(cluster) => cluster.call(key, command).await,
        };
        outcome.map_err(CallError::into_store_error)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        sync::Arc,
        time::{Duration, Instant},
    };

    use rl_bucket::{Cost, Limit, Op};
    use tokio::time::sleep;

    use super::{Connector, RedisStore};
    use crate::{
        BucketRequest, StoreError, StoreHealth,
        redis::{EngineChoice, RedisAddress, RedisOptions, RedisSettings},
    };

    #[tokio::test(flavor = "local")]
    async fn a_check_does_not_wait_for_a_connection() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // connects, never answers
        let address = silent.local_addr().unwrap();
        for scheme in ["redis", "redis+cluster"] {
            let address = RedisAddress::parse(&format!("{scheme}://{address}")).unwrap();
            let settings = RedisSettings::new(address, RedisOptions::default()).unwrap();
            let health = Arc::new(StoreHealth::redis(1));
            let deadline = Duration::from_secs(60);
            let connector = Connector::new(settings, EngineChoice::Auto, deadline, health.clone());
            let store = RedisStore::start(Arc::new(connector));
            sleep(Duration::from_millis(50)).await;
            let limit = Limit::parse("1", "1").unwrap();
            let request = BucketRequest { key: b"k", limit, amount: Cost::ONE };
            let started = Instant::now();
            assert_eq!(store.apply(Op::Check, &request).await, Err(StoreError::Down));
            assert!(started.elapsed() < Duration::from_secs(1));
            assert!(!health.is_up());
        }
    }
}
