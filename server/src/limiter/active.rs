//! Policies in force: each with the counters that show it in the metrics.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use crate::{
    metrics::{Metrics, PolicyMeters},
    policy::{Policies, Policy},
};

/// The policies in force. They are never changed, only replaced as a whole.
#[derive(Debug)]
pub struct ActivePolicies {
    by_name: BTreeMap<Box<str>, Arc<ActivePolicy>>,
    inline: Option<Arc<ActivePolicy>>,
    hash: String,
}

/// A policy in force.
#[derive(Debug)]
pub struct ActivePolicy {
    policy: Policy,
    /// The counters of its checks.
    pub meters: PolicyMeters,
}

// === impl ActivePolicies ===

impl ActivePolicies {
    /// Puts policies in force: from now on the metrics show them.
    pub fn new(policies: Policies, metrics: &Metrics) -> Self {
        let activate = |policy: Policy| {
            let meters = metrics.policy(policy.name());
            Arc::new(ActivePolicy { policy, meters })
        };
        let Policies { by_name, inline, hash } = policies;
        let by_name = by_name.into_iter().map(|(name, policy)| (name, activate(policy))).collect();
        Self { by_name, inline: inline.map(activate), hash }
    }

    /// The policy of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<ActivePolicy>> {
        self.by_name.get(name)
    }

    /// The policy of limits that come with a request; `None` if they are refused.
    pub fn inline(&self) -> Option<&Arc<ActivePolicy>> {
        self.inline.as_ref()
    }

    /// Every name that the metrics show, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.values().chain(&self.inline).map(|policy| policy.name())
    }

    /// The short hash of their content.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

// === impl ActivePolicy ===

impl Deref for ActivePolicy {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}
