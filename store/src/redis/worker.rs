//! One worker's share of the store: the connector, and its place in the store's health.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{address::Server, connector::Connector};
use crate::EngineKind;

/// A worker, as its node clients see it.
pub(super) struct Worker {
    pub(super) connector: Arc<Connector>,
    /// The index of this worker in the store's health.
    index: usize,
    /// Wakes the cluster client when a node is lost.
    pub(super) node_lost: Notify,
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        let index = connector.health.add_worker();
        Self { connector, index, node_lost: Notify::new() }
    }

    /// Records that so many nodes are needed to reach every key.
    pub(super) fn nodes_needed(&self, nodes: usize) {
        self.connector.health.nodes_needed(self.index, nodes);
    }

    /// Records that a node can be sent requests.
    pub(super) fn node_up(&self, engine: EngineKind) {
        self.connector.health.node_up(self.index, engine);
    }

    /// Records that a node that was up is lost.
    pub(super) fn node_down(&self, server: &Server, reason: &str) {
        self.node_lost.notify_one();
        self.connector.health.node_down(self.index, server, reason);
    }
}
