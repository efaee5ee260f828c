//! Policies in force, each with its counters.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use crate::{
    metrics::{Metrics, PolicyCounters},
    policy::{self, Policies, Policy},
};

/// The policies in force. They are never changed, only replaced together.
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
    pub counters: PolicyCounters,
}

// === impl ActivePolicies ===

impl ActivePolicies {
    /// Puts policies in force, and shows them in the metrics.
    pub fn new(policies: Policies, metrics: &Metrics) -> Self {
        let activate = |policy: Policy| {
            let counters = metrics.policy(policy.name());
            Arc::new(ActivePolicy { policy, counters })
        };
        let Policies { by_name, inline, hash } = policies;
        let by_name = by_name.into_iter().map(|(name, policy)| (name, activate(policy))).collect();
        Self { by_name, inline: inline.map(activate), hash }
    }

    /// The policy with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<ActivePolicy>> {
        self.by_name.get(name)
    }

    /// The names that a caller who sends `name` may have meant.
    pub fn near(&self, name: &str) -> Vec<String> {
        let names = self.by_name.keys().map(|name| &**name);
        policy::near(name, names).into_iter().map(str::to_owned).collect()
    }

    /// The policy of inline limits; `None` if they are not permitted.
    pub fn inline(&self) -> Option<&Arc<ActivePolicy>> {
        self.inline.as_ref()
    }

    /// The names of all policies in the metrics, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.values().chain(&self.inline).map(|policy| policy.name())
    }

    /// The short hash of their file.
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
