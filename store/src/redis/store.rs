//! One worker's store in Redis, whatever its topology.

use std::{fmt, rc::Rc, sync::Arc, time::Instant};

use futures_util::{StreamExt, future::join_all, stream::FuturesOrdered};
use rl_bucket::{Decision, Op};
use tokio::{pin, select, sync::OwnedSemaphorePermit};

use super::{
    address::Topology,
    client::{NodeClient, Routing},
    commands::{CheckAll, Command, MCheck, Reset, Take, charge, peek, refund},
    connector::{Connector, Endpoint},
    error::CallError,
    pieces::pieces,
    topology::cluster::ClusterClient,
    worker::Worker,
};
use crate::{BucketRequest, JointDecision, NotABucket, StoreError};

/// Buckets in Redis, as one worker uses them.
///
/// Every request is answered within the deadline, and is sent at most once unless the server says
/// that it was not carried out. A store belongs to the thread that started it.
pub struct RedisStore(Client);

/// The permit of a piece of a large request, if it takes one.
type Permit = Option<OwnedSemaphorePermit>;

enum Client {
    /// For one server: a given one, or the primary that Sentinels name.
    Node(Rc<NodeClient>),
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
            Topology::Single(server) => {
                Client::Node(Rc::new(NodeClient::start(Endpoint::Server(server), worker)))
            }
            Topology::Sentinel { .. } => {
                Client::Node(Rc::new(NodeClient::start(Endpoint::Primary, worker)))
            }
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

    /// Makes independent checks, in order, all within one deadline. They go in pieces, and those
    /// that are not sent in time are shed.
    pub async fn check_each(
        &self,
        requests: &[BucketRequest<'_>],
    ) -> Vec<Result<Decision, StoreError>> {
        let started = Instant::now();
        let send = async |piece: &[BucketRequest<'_>], turn| match &self.0 {
            Client::Node(node) => {
                match node.call_each(started, &[MCheck(piece)], turn).await.pop() {
                    Some(Ok(decisions)) => decisions
                        .into_iter()
                        .map(|it| it.map_err(|NotABucket| StoreError::Failed))
                        .collect(),
                    Some(Err(error)) => vec![Err(error.into_store_error()); piece.len()],
                    None => Vec::new(),
                }
            }
            Client::Cluster(cluster) => {
                let checks = piece.iter().map(|request| cluster.check(started, request));
                let outcomes = join_all(checks).await.into_iter();
                outcomes.map(|it| it.map_err(CallError::into_store_error)).collect()
            }
        };
        self.in_pieces(started, requests, |request| (request.key, 1), send).await
    }

    /// Makes independent checks of several buckets each, as [`check_all`](Self::check_all) does, in
    /// order, all within one deadline. They go in pieces, and those that are not sent in time are
    /// shed.
    pub async fn check_all_each(
        &self,
        checks: &[&[BucketRequest<'_>]],
    ) -> Vec<Result<JointDecision, StoreError>> {
        let started = Instant::now();
        let send = async |piece: &[&[BucketRequest<'_>]], turn| {
            let commands: Vec<_> = piece.iter().map(|buckets| CheckAll(buckets)).collect();
            let outcomes = match &self.0 {
                Client::Node(node) => node.call_each(started, &commands, turn).await,
                Client::Cluster(cluster) => {
                    let calls = piece.iter().zip(&commands).map(|(buckets, command)| {
                        cluster.call(started, first_key_and_buckets(buckets).0, command)
                    });
                    join_all(calls).await
                }
            };
            outcomes.into_iter().map(|it| it.map_err(CallError::into_store_error)).collect()
        };
        self.in_pieces(started, checks, first_key_and_buckets, send).await
    }

    /// Sends checks in pieces, each to its node, and returns their outcomes in order. `shape` tells
    /// a key and the number of buckets of a check.
    async fn in_pieces<'k, T: Copy, R>(
        &self,
        started: Instant,
        checks: &[T],
        shape: impl Fn(&T) -> (&'k [u8], usize),
        send: impl AsyncFn(&[T], Permit) -> Vec<Result<R, StoreError>>,
    ) -> Vec<Result<R, StoreError>> {
        let buckets = |check: &T| shape(check).1;
        let cluster = match &self.0 {
            Client::Node(node) => {
                return send_pieces(Some(node), started, checks, buckets, &send).await;
            }
            Client::Cluster(cluster) => cluster,
        };
        // By node: where one does not answer, the keys of the others are decided.
        let mut nodes: Vec<(Option<Rc<NodeClient>>, Vec<usize>)> = Vec::new();
        for (index, check) in checks.iter().enumerate() {
            let client = cluster.client(shape(check).0);
            let is_same = |other: &Option<Rc<NodeClient>>| {
                other.as_ref().map(Rc::as_ptr) == client.as_ref().map(Rc::as_ptr)
            };
            match nodes.iter_mut().find(|(other, _)| is_same(other)) {
                Some((_, indices)) => indices.push(index),
                None => nodes.push((client, vec![index])),
            }
        }
        let nodes = nodes.iter().map(async |(client, indices)| {
            let checks: Vec<_> = indices.iter().map(|index| checks[*index]).collect();
            let outcomes = send_pieces(client.as_deref(), started, &checks, buckets, &send).await;
            indices.iter().copied().zip(outcomes).collect::<Vec<_>>()
        });
        let mut outcomes: Vec<_> = join_all(nodes).await.into_iter().flatten().collect();
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
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
        let started = Instant::now();
        match &self.0 {
            Client::Node(node) => node.check(started, request).await,
            Client::Cluster(cluster) => cluster.check(started, request).await,
        }
    }

    /// Sends a command about `key`, and others of its slot.
    async fn call<C: Command>(&self, key: &[u8], command: &C) -> Result<C::Output, StoreError> {
        self.call_since(Instant::now(), key, command).await
    }

    async fn call_since<C: Command>(
        &self,
        started: Instant,
        key: &[u8],
        command: &C,
    ) -> Result<C::Output, StoreError> {
        let outcome = match &self.0 {
            Client::Node(node) => node.call_since(started, Routing::Owner, command).await,
            Client::Cluster(cluster) => cluster.call(started, key, command).await,
        };
        outcome.map_err(CallError::into_store_error)
    }
}

/// Sends checks for one node, `None` if no node serves them, in pieces. Returns their outcomes in
/// order.
async fn send_pieces<T, R>(
    node: Option<&NodeClient>,
    started: Instant,
    checks: &[T],
    buckets: impl Fn(&T) -> usize,
    send: impl AsyncFn(&[T], Permit) -> Vec<Result<R, StoreError>>,
) -> Vec<Result<R, StoreError>> {
    let Some(node) = node else {
        return checks.iter().map(|_| Err(StoreError::Down)).collect();
    };
    let mut in_flight = FuturesOrdered::new();
    let mut outcomes = Vec::with_capacity(checks.len());
    let weight = node.weight();
    for (range, weight) in pieces(checks.iter().map(|check| weight * buckets(check))) {
        let turn = node.turn(started, weight);
        pin!(turn);
        let turn = loop {
            select! {
                biased;
                Some(done) = in_flight.next() => outcomes.extend::<Vec<_>>(done),
                turn = &mut turn => break turn,
            }
        };
        let (checks, send) = (&checks[range], &send);
        in_flight.push_back(async move {
            match turn {
                Ok(turn) => send(checks, turn).await,
                Err(error) => checks.iter().map(|_| Err(error)).collect(),
            }
        });
    }
    while let Some(done) = in_flight.next().await {
        outcomes.extend(done);
    }
    outcomes
}

/// The first key of a check of several buckets, and their number.
fn first_key_and_buckets<'k>(check: &&[BucketRequest<'k>]) -> (&'k [u8], usize) {
    (check.first().map_or(&[], |first| first.key), check.len())
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
