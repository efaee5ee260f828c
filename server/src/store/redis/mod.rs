//! Buckets in Redis: each worker asks over its own supervised link, through the module or through
//! Lua.

mod buckets;
mod cluster;
mod command;
mod engine;
mod fault;
mod frame;
mod gather;
mod google;
mod lane;
mod link;
mod live;
mod lookup;
mod reach;
mod reply;
mod scripts;
mod sentinel;
mod shares;
mod silence;
mod slot;
mod stream;
mod tls;
mod turn;
mod way;
mod wire;
mod words;

use std::slice;

use rl_bucket::Decision;

use self::engine::Engine;
pub use self::{
    buckets::{Buckets, Page},
    command::Command,
    google::Google,
    link::Link,
    reach::Reach,
    tls::Tls,
};
use super::{AllOrNothing, Ask, Request, Unavailable};

// === impl Link ===

/// What a [`Store`](super::Store) can be asked. Everything is sent at most once, unless Redis says that it
/// did not run, and answered within the deadline.
impl Link {
    /// Does what `ask` says with one bucket.
    pub async fn ask(&self, ask: Ask, request: &Request<'_>) -> Result<Decision, Unavailable> {
        if ask == Ask::Check {
            return self.check(request).await;
        }
        let requests = slice::from_ref(request);
        let say = |engine: &Engine, form| engine.ask(ask.into(), requests, form);
        self.call(request.key, say, reply::decision).await
    }

    /// Takes as many whole tokens as there are, at most the amount.
    pub async fn take(&self, request: &Request<'_>) -> Result<(u64, Decision), Unavailable> {
        let requests = slice::from_ref(request);
        let say = |engine: &Engine, form| engine.ask(Command::Take, requests, form);
        self.call(request.key, say, reply::taken).await
    }

    /// Independent checks, in order.
    pub async fn check_each(
        &self,
        requests: &[Request<'_>],
    ) -> Result<Vec<Result<Decision, Unavailable>>, Unavailable> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        self.checks(requests).await
    }

    /// Takes from every bucket, or from none. In a cluster they share a slot.
    pub async fn check_all(&self, requests: &[Request<'_>]) -> Result<AllOrNothing, Unavailable> {
        let Some(first) = requests.first() else {
            return Ok(AllOrNothing { denied: None, decisions: Vec::new() });
        };
        let say = |engine: &Engine, form| engine.ask(Command::CheckAll, requests, form);
        self.call(first.key, say, |reply| reply::all(reply, requests.len())).await
    }

    /// Deletes buckets: how many there were. In a cluster they share a slot.
    pub async fn reset(&self, keys: &[&[u8]]) -> Result<u64, Unavailable> {
        let Some(first) = keys.first() else { return Ok(0) };
        self.call(first, |engine, form| engine.reset(keys, form), reply::count).await
    }
}
