//! A Redis Cluster: the node that serves each hash slot, and a client for each node.
//!
//! A node that gets a command for another node's slot does nothing and redirects. So a command may
//! go from node to node within its deadline, and is still carried out at most once: a command that
//! was sent to a node that then did not answer is never sent to another.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    select,
    sync::Notify,
    task::{JoinHandle, spawn_local},
    time::{sleep, timeout},
};

use super::{
    cache::SlotRange,
    slot::{self, SLOTS},
    slot_map,
};
use crate::{
    BucketRequest, StoreError,
    redis::{
        address::Host,
        batch::BatchedDecision,
        client::{NodeClient, Routing},
        commands::{Command, check},
        connector::Endpoint,
        error::{CallError, CommandError, Redirect},
        worker::Worker,
    },
};

/// One worker's client for a cluster.
pub(in crate::redis) struct ClusterClient {
    cluster: Rc<Cluster>,
    refresher: JoinHandle<()>,
}

/// The state of a cluster client, shared with its task.
struct Cluster {
    worker: Rc<Worker>,
    /// The nodes to start from while no other is known.
    seeds: Vec<Host>,
    nodes: RefCell<HashMap<Host, Rc<ClusterNode>>>,
    /// The node of each hash slot.
    slots: RefCell<Vec<Option<Rc<ClusterNode>>>>,
    /// Wakes the refresher when a redirect shows that the slot map is out of date.
    stale: Notify,
}

struct ClusterNode {
    host: Host,
    client: Rc<NodeClient>,
}

/// The time between readings of a slot map that nothing is wrong with.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// The pause between a redirect and the next reading: redirects come many at a time.
const REFRESH_DELAY: Duration = Duration::from_millis(100);
/// The time after which a node that has not sent its slot map is skipped.
const SLOT_MAP_TIMEOUT: Duration = Duration::from_secs(1);
/// Redirects followed without a pause. Beyond this, two nodes may be redirecting to each other in
/// the middle of a failover.
const MAX_FAST_REDIRECTS: u32 = 4;
/// The pause before each further redirect, and before a retry on keys that are moving.
const REDIRECT_DELAY: Duration = Duration::from_millis(3);

// === impl ClusterClient ===

impl ClusterClient {
    /// Starts reading the slot map from these nodes, on this thread's runtime.
    pub(in crate::redis) fn start(seeds: Vec<Host>, worker: Rc<Worker>) -> Self {
        let cluster = Rc::new(Cluster {
            worker,
            seeds,
            nodes: RefCell::default(),
            slots: RefCell::new(vec![None; SLOTS]),
            stale: Notify::new(),
        });
        Self { refresher: spawn_local(refresh(cluster.clone())), cluster }
    }

    /// The client of the node that serves a key.
    pub(in crate::redis) fn client(&self, key: &[u8]) -> Option<Rc<NodeClient>> {
        self.cluster.node(key).ok().map(|node| node.client.clone())
    }

    /// Makes one check whose deadline started at `started`, in a batch with others for the same
    /// node.
    pub(in crate::redis) async fn check(
        &self,
        started: Instant,
        request: &BucketRequest<'_>,
    ) -> BatchedDecision {
        let node = self.cluster.node(request.key)?;
        match node.client.check(started, request).await {
            Err(CallError::Redirected(redirect)) => {
                let command = check(request);
                self.cluster.follow_redirects(request.key, &node, redirect, started, &command).await
            }
            outcome => outcome,
        }
    }

    /// Sends a command whose deadline started at `started` to the node that serves `key`, and
    /// follows its redirects.
    pub(in crate::redis) async fn call<C: Command>(
        &self,
        started: Instant,
        key: &[u8],
        command: &C,
    ) -> Result<C::Output, CallError> {
        let node = self.cluster.node(key)?;
        match node.client.call_since(started, Routing::Owner, command).await {
            Err(CallError::Redirected(redirect)) => {
                self.cluster.follow_redirects(key, &node, redirect, started, command).await
            }
            outcome => outcome,
        }
    }
}

impl Drop for ClusterClient {
    fn drop(&mut self) {
        self.refresher.abort();
    }
}

/// Keeps the slot map up to date, until the client is dropped.
async fn refresh(cluster: Rc<Cluster>) {
    let connector = &cluster.worker.connector;
    let gate = &connector.slot_map_gate;
    loop {
        let wanted_at = Instant::now();
        let permit = gate.acquire().await;
        // A slot map that another worker has read meanwhile is as good.
        let cached = connector.slot_map.read_since(wanted_at);
        if cached.is_none() {
            gate.wait().await;
        }
        let started = Instant::now();
        let map = match cached {
            Some(map) => Ok(map),
            None => cluster.read_slot_map().await,
        };
        match map {
            Ok(map) => cluster.apply(&map),
            Err(error) => connector.health.retrying(&error.reason()),
        }
        let is_covered = cluster.is_covered();
        if is_covered {
            gate.reset();
        } else {
            gate.record_failure(started);
        }
        drop(permit);
        if is_covered {
            select! {
                () = cluster.stale.notified() => sleep(REFRESH_DELAY).await,
                () = cluster.worker.node_lost.notified() => {}
                () = sleep(REFRESH_INTERVAL.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            }
        }
    }
}

// === impl Cluster ===

impl Cluster {
    /// The node that serves a key.
    fn node(&self, key: &[u8]) -> Result<Rc<ClusterNode>, StoreError> {
        self.slots.borrow()[usize::from(slot::of(key))].clone().ok_or(StoreError::Down)
    }

    /// The node at this address, with a client that starts now if there is none.
    fn node_at(&self, host: &Host) -> Rc<ClusterNode> {
        let start = || {
            let endpoint = Endpoint::Server(host.clone().into());
            let client = NodeClient::start(endpoint, self.worker.clone());
            Rc::new(ClusterNode { host: host.clone(), client: Rc::new(client) })
        };
        self.nodes.borrow_mut().entry(host.clone()).or_insert_with(start).clone()
    }

    /// Follows a redirect and those after it, until a node answers or the deadline passes.
    /// [`StoreError::Down`]: in that case nothing was done.
    async fn follow_redirects<C: Command>(
        &self,
        key: &[u8],
        from: &Rc<ClusterNode>,
        mut redirect: Redirect,
        started: Instant,
        command: &C,
    ) -> Result<C::Output, CallError> {
        let mut node = from.clone();
        let mut redirects = 0;
        loop {
            if redirects >= MAX_FAST_REDIRECTS || redirect == Redirect::TryAgain {
                sleep(REDIRECT_DELAY).await;
            }
            redirects += 1;
            let mut routing = Routing::Owner;
            node = match redirect {
                Redirect::Moved(slot, host) => {
                    let owner = self.node_at(&host.or_name_of(&node.host));
                    if let Some(entry) = self.slots.borrow_mut().get_mut(usize::from(slot)) {
                        *entry = Some(owner.clone());
                    }
                    self.stale.notify_one();
                    owner
                }
                Redirect::Ask(host) => {
                    routing = Routing::Asking;
                    self.node_at(&host.or_name_of(&node.host))
                }
                Redirect::TryAgain => self.node(key)?,
            };
            let time_left = self.worker.connector.deadline.saturating_sub(started.elapsed());
            // A node that was unknown a moment ago is still being connected to.
            if time_left.is_zero() || !node.client.wait_until_up(time_left).await {
                return Err(StoreError::Down.into());
            }
            match node.client.call_since(started, routing, command).await {
                Err(CallError::Redirected(next)) => redirect = next,
                outcome => return outcome,
            }
        }
    }

    /// Whether every hash slot has a node that can be sent requests.
    fn is_covered(&self) -> bool {
        let slots = self.slots.borrow();
        slots.iter().all(|node| node.as_ref().is_some_and(|node| node.client.is_up()))
    }

    /// Reads the slot map from the first node that tells it, and shares it with the other workers.
    async fn read_slot_map(&self) -> Result<Arc<[SlotRange]>, CommandError> {
        let map: Arc<[SlotRange]> = self.slot_map_of_any_node().await?.into();
        self.worker.connector.slot_map.store(map.clone());
        Ok(map)
    }

    async fn slot_map_of_any_node(&self) -> Result<Vec<SlotRange>, CommandError> {
        let mut up: Vec<_> = self.nodes.borrow().values().cloned().collect();
        up.retain(|node| node.client.is_up());
        fastrand::shuffle(&mut up);
        for node in up {
            let reply = timeout(SLOT_MAP_TIMEOUT, node.client.slot_map()).await;
            if let Ok(Ok(reply)) = reply
                && let Some(map) = slot_map::parse(&reply, &node.host)
            {
                return Ok(map);
            }
        }
        let mut last_error = CommandError::Broken("no answer in time".to_owned());
        let mut others: Vec<_> = self.nodes.borrow().keys().cloned().collect();
        fastrand::shuffle(&mut others);
        let first = fastrand::usize(..self.seeds.len());
        let seeds = self.seeds.iter().cycle().skip(first).take(self.seeds.len());
        for host in seeds.cloned().chain(others) {
            match timeout(SLOT_MAP_TIMEOUT, self.slot_map_of(&host)).await {
                Ok(Ok(map)) => return Ok(map),
                Ok(Err(error)) => last_error = error,
                Err(_) => {}
            }
        }
        Err(last_error)
    }

    /// The slot map of a node that has no client.
    async fn slot_map_of(&self, host: &Host) -> Result<Vec<SlotRange>, CommandError> {
        let secrets = self.worker.connector.secrets().await?;
        slot_map::read(&self.worker.connector, host, &secrets).await
    }

    fn apply(&self, map: &[SlotRange]) {
        let mut slots = vec![None; SLOTS];
        for range in map {
            let node = self.node_at(&range.host);
            slots[range.first..=range.last].fill(Some(node));
        }
        self.slots.replace(slots);
        // A node without slots is dropped once no caller waits for its replies.
        let serves_slots = |host: &Host| map.iter().any(|range| range.host == *host);
        let mut nodes = self.nodes.borrow_mut();
        nodes.retain(|host, _| serves_slots(host));
        self.worker.nodes_needed(nodes.len());
    }
}
