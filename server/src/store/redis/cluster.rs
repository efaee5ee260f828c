//! A Redis Cluster: which node has which slot, and a lane to each.
//!
//! A node that is asked about a slot of another's does nothing and says where to ask. So a question may go on
//! from node to node, within its deadline, and is still done at most once: what was sent to a node
//! that then did not answer is never sent to another.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    slice,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::rt::{self, task::JoinHandle};
use tokio::{
    select,
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    command::{Command, Form},
    engine::Engine,
    fault::{Fault, Redirect},
    frame::Reply,
    gather::Answer,
    lane::{Lane, Setback},
    reach::Place,
    reply,
    shares::{Share, ask, shares},
    slot::{SLOTS, slot},
    way::Way,
    words::Words,
};
use crate::{
    settings::Host,
    store::{Request, Unavailable},
};

/// The nodes of a cluster, as one worker reaches them.
pub(super) struct Cluster {
    map: Rc<Map>,
    follower: JoinHandle<()>,
}

struct Map {
    way: Rc<Way>,
    /// Whom to ask while no node is known.
    seeds: Vec<Host>,
    nodes: RefCell<HashMap<Host, Rc<Node>>>,
    /// Who has which slot.
    slots: RefCell<Vec<Option<Rc<Node>>>>,
    /// A node said that the map is not right any more.
    stale: Notify,
}

struct Node {
    host: Host,
    lane: Lane,
}

/// How often a map without a fault is compared.
const LOOK: Duration = Duration::from_secs(30);
/// How long after a node said that the map is not right it is read at the earliest: nodes say so many times at once.
const SETTLE: Duration = Duration::from_millis(100);
/// A node that has not told its map by then is passed over.
const PATIENCE: Duration = Duration::from_secs(1);
/// After so many nodes that point elsewhere, perhaps at each other, they are given time to agree.
const HOPS: u32 = 4;
/// Before they are asked again, or about keys that are on their way.
const PAUSE: Duration = Duration::from_millis(3);

// === impl Cluster ===

impl Cluster {
    /// Starts asking these nodes which others there are, on this thread's runtime.
    pub(super) fn start(seeds: Vec<Host>, way: Rc<Way>) -> Self {
        let map = Rc::new(Map {
            way,
            seeds,
            nodes: RefCell::default(),
            slots: RefCell::new(vec![None; SLOTS]),
            stale: Notify::new(),
        });
        Self { follower: rt::spawn(follow(map.clone())), map }
    }

    /// One check, along with the others of its moment and node.
    pub(super) async fn check(&self, request: &Request<'_>) -> Answer {
        let asked = Instant::now();
        let node = self.map.node(request.key)?;
        match node.lane.check(request).await {
            Err(Setback::Elsewhere(redirect)) => {
                let one = slice::from_ref(request);
                let say = |engine: &Engine, form| engine.ask(Command::Check, one, form);
                self.map.go_on(request.key, &node, redirect, asked, say, reply::decision).await
            }
            answer => answer,
        }
    }

    /// Asks the node of `key`, and whomever that names.
    pub(super) async fn call<T>(
        &self,
        key: &[u8],
        say: impl Fn(&Engine, Form) -> Words,
        read: impl Fn(Reply) -> Result<T, Fault>,
    ) -> Result<T, Setback> {
        let asked = Instant::now();
        let node = self.map.node(key)?;
        match node.lane.call(&say, &read).await {
            Err(Setback::Elsewhere(redirect)) => {
                self.map.go_on(key, &node, redirect, asked, say, read).await
            }
            answer => answer,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// Keeps the map right; until the cluster is dropped.
async fn follow(map: Rc<Map>) {
    let reach = &map.way.reach;
    loop {
        let wanted = Instant::now();
        let turn = reach.map_turn.take().await;
        let known = reach.shares.since(wanted);
        if known.is_none() {
            reach.map_turn.pause().await;
        }
        let began = Instant::now();
        // What another worker was told meanwhile is as good.
        let read = match known {
            Some(shares) => Ok(shares),
            None => map.read().await,
        };
        match read {
            Ok(shares) => map.apply(&shares),
            Err(fault) => reach.status.retrying(&fault.reason()),
        }
        let whole = map.is_whole();
        if whole {
            reach.map_turn.lasted();
        } else {
            reach.map_turn.failed(began);
        }
        drop(turn);
        if whole {
            select! {
                () = map.stale.notified() => sleep(SETTLE).await,
                () = map.way.lost.notified() => {}
                () = sleep(LOOK.mul_f64(0.75 + fastrand::f64() / 2.0)) => {}
            }
        }
    }
}

// === impl Map ===

impl Map {
    fn node(&self, key: &[u8]) -> Result<Rc<Node>, Unavailable> {
        self.slots.borrow()[usize::from(slot(key))].clone().ok_or(Unavailable::Down)
    }

    /// The node at this address, if need be with a lane that starts now.
    fn node_at(&self, host: &Host) -> Rc<Node> {
        let start = || {
            let lane = Lane::start(Place::Server(host.clone()), self.way.clone());
            Rc::new(Node { host: host.clone(), lane })
        };
        self.nodes.borrow_mut().entry(host.clone()).or_insert_with(start).clone()
    }

    /// Goes where a node points, and on, until one answers or the time is up: then nothing was done.
    async fn go_on<T>(
        &self,
        key: &[u8],
        from: &Rc<Node>,
        mut redirect: Redirect,
        asked: Instant,
        say: impl Fn(&Engine, Form) -> Words,
        read: impl Fn(Reply) -> Result<T, Fault>,
    ) -> Result<T, Setback> {
        let mut at = from.clone();
        let mut hops = 0;
        loop {
            if hops >= HOPS || redirect == Redirect::Again {
                sleep(PAUSE).await;
            }
            hops += 1;
            let mut asking = false;
            at = match redirect {
                Redirect::Moved(slot, host) => {
                    let node = self.node_at(&host.or_of(&at.host));
                    if let Some(place) = self.slots.borrow_mut().get_mut(usize::from(slot)) {
                        *place = Some(node.clone());
                    }
                    self.stale.notify_one();
                    node
                }
                Redirect::Ask(host) => {
                    asking = true;
                    self.node_at(&host.or_of(&at.host))
                }
                Redirect::Again => self.node(key)?,
            };
            let left = self.way.reach.deadline.saturating_sub(asked.elapsed());
            // One that was not known a moment ago is being connected to.
            if left.is_zero() || !at.lane.comes_up(left).await {
                return Err(Unavailable::Down.into());
            }
            match at.lane.call_since(asked, asking, &say, &read).await {
                Err(Setback::Elsewhere(next)) => redirect = next,
                answer => return answer,
            }
        }
    }

    /// Whether every slot has a node that can be asked.
    fn is_whole(&self) -> bool {
        self.slots.borrow().iter().all(|node| node.as_ref().is_some_and(|node| node.lane.is_up()))
    }

    /// Reads the map from the first node that tells it.
    async fn read(&self) -> Result<Arc<[Share]>, Fault> {
        let shares: Arc<[Share]> = self.ask_all().await?.into();
        self.way.reach.shares.are(shares.clone());
        Ok(shares)
    }

    async fn ask_all(&self) -> Result<Vec<Share>, Fault> {
        let mut known: Vec<_> = self.nodes.borrow().values().cloned().collect();
        known.retain(|node| node.lane.is_up());
        fastrand::shuffle(&mut known);
        for node in known {
            if let Ok(Ok(reply)) = timeout(PATIENCE, node.lane.say(&["CLUSTER", "SLOTS"])).await
                && let Some(shares) = shares(&reply, &node.host)
            {
                return Ok(shares);
            }
        }
        let mut fault = Fault::Broken("no answer in time".to_owned());
        let mut others: Vec<_> = self.nodes.borrow().keys().cloned().collect();
        fastrand::shuffle(&mut others);
        let first = fastrand::usize(..self.seeds.len());
        let seeds = self.seeds.iter().cycle().skip(first).take(self.seeds.len());
        for host in seeds.cloned().chain(others) {
            match timeout(PATIENCE, self.tell(&host)).await {
                Ok(Ok(shares)) => return Ok(shares),
                Ok(Err(why)) => fault = why,
                Err(_) => {}
            }
        }
        Err(fault)
    }

    /// What a node tells to whom it has no lane.
    async fn tell(&self, host: &Host) -> Result<Vec<Share>, Fault> {
        let secrets = self.way.reach.secrets().await?;
        ask(&self.way.reach, host, &secrets).await
    }

    fn apply(&self, shares: &[Share]) {
        let mut slots = vec![None; SLOTS];
        for share in shares {
            let node = self.node_at(&share.host);
            slots[share.first..=share.last].fill(Some(node));
        }
        self.slots.replace(slots);
        // Who has nothing left goes, once nobody waits for its answers.
        let in_use = |host: &Host| shares.iter().any(|share| share.host == *host);
        self.nodes.borrow_mut().retain(|host, _| in_use(host));
    }
}
