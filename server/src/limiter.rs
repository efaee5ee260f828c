//! The one question: may this key go on now? It finds the limit, asks the store in time, or decides
//! without it.

use std::sync::Arc;

use rl_bucket::{Cost, Decision, Limit};

use crate::store::{self, Ask, Request, Store, memory::MemoryStore};

/// Answers questions on one worker.
#[derive(Debug)]
pub struct Limiter {
    store: Store,
    /// Stands in while the store cannot answer, so that a front without Redis still limits.
    local: Arc<MemoryStore>,
    default: Limit,
}

/// What a caller asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Question<'a> {
    /// Whose bucket, 1 to 1024 bytes.
    pub key: &'a str,
    /// Under which limit.
    pub policy: Policy<'a>,
    /// How many tokens to take.
    pub cost: Cost,
}

/// The limit to apply.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy<'a> {
    /// The one configured under this name.
    Named(&'a str),
    /// The one that came with the question.
    Inline(Limit),
}

/// What the caller is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// Whether it was made without Redis, so that it holds for this front alone.
    pub degraded: bool,
}

/// No policy has the name that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy;

/// The name of the policy that flags configure, and that applies when none is named.
pub const DEFAULT: &str = "default";

// === impl Limiter ===

impl Limiter {
    /// A limiter over `store` whose policy [`DEFAULT`] is `default`.
    pub fn new(store: Store, local: Arc<MemoryStore>, default: Limit) -> Self {
        Self { store, local, default }
    }

    /// Decides, within the store's deadline.
    pub async fn check(&self, question: &Question<'_>) -> Result<Answer, UnknownPolicy> {
        let (name, limit) = match &question.policy {
            Policy::Named(DEFAULT) => (DEFAULT, &self.default),
            Policy::Named(_) => return Err(UnknownPolicy),
            Policy::Inline(limit) => ("inline", limit),
        };
        let key = store_key(question.key, name);
        let request = Request { key: &key, limit: *limit, amount: question.cost };
        Ok(match self.store.ask(Ask::Check, &request).await {
            Ok(decision) => Answer { decision, degraded: false },
            Err(_) => Answer {
                decision: self.local.check_with(&key, limit, question.cost, store::now),
                degraded: true,
            },
        })
    }
}

/// `rl:{key}:policy`: the braces keep all limits of a key in one slot of a cluster. No policy name
/// holds a brace, so no two (key, policy) share a bucket.
fn store_key(key: &str, policy: &str) -> Vec<u8> {
    ["rl:{", key, "}:", policy].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rl_bucket::{Cost, Limit};

    use super::{DEFAULT, Limiter, Policy, Question, UnknownPolicy, store_key};
    use crate::store::{Store, memory::MemoryStore};

    fn limiter() -> Limiter {
        let memory = Arc::new(MemoryStore::new());
        Limiter::new(Store::Memory(memory.clone()), memory, Limit::parse("2", "1/h").unwrap())
    }

    #[actix_web::test]
    async fn each_key_and_policy_has_its_bucket() {
        let limiter = limiter();
        let inline = || Policy::Inline(Limit::parse("1", "1/h").unwrap());
        for (key, policy, remaining) in [
            ("a", Policy::Named(DEFAULT), 1),
            ("a", Policy::Named(DEFAULT), 0),
            ("b", Policy::Named(DEFAULT), 1),
            ("a", inline(), 0),
            ("b", inline(), 0),
        ] {
            let question = Question { key, policy, cost: Cost::ONE };
            let answer = limiter.check(&question).await.unwrap();
            assert!(answer.decision.is_allowed() && !answer.degraded);
            assert_eq!(answer.decision.remaining, remaining, "{question:?}");
        }
    }

    #[actix_web::test]
    async fn unknown_policy() {
        let question = Question { key: "a", policy: Policy::Named("api"), cost: Cost::ONE };
        assert_eq!(limiter().check(&question).await, Err(UnknownPolicy));
    }

    #[test]
    fn keys() {
        assert_eq!(store_key("user:42", DEFAULT), b"rl:{user:42}:default");
        assert_eq!(store_key("}", "inline"), b"rl:{}}:inline");
    }
}
