//! Buckets in Redis: each worker asks over its own supervised link, through the module or through
//! Lua.

mod backoff;
mod command;
mod engine;
mod fault;
mod frame;
mod gather;
mod link;
mod reply;
mod scripts;
mod silence;
mod wire;
mod words;

use std::slice;

use rl_bucket::Decision;

pub use self::{command::Command, link::Link};
use super::{AllOrNothing, Ask, NotABucket, Request, Unavailable};

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
        self.call(|engine, form| engine.ask(ask.into(), requests, form), reply::decision).await
    }

    /// Takes as many whole tokens as there are, at most the amount.
    pub async fn take(&self, request: &Request<'_>) -> Result<(u64, Decision), Unavailable> {
        let requests = slice::from_ref(request);
        self.call(|engine, form| engine.ask(Command::Take, requests, form), reply::taken).await
    }

    /// Independent checks, in order.
    pub async fn check_each(
        &self,
        requests: &[Request<'_>],
    ) -> Result<Vec<Result<Decision, NotABucket>>, Unavailable> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let read = |reply| reply::each(reply, requests.len());
        self.call(|engine, form| engine.ask(Command::MCheck, requests, form), read).await
    }

    /// Takes from every bucket, or from none.
    pub async fn check_all(&self, requests: &[Request<'_>]) -> Result<AllOrNothing, Unavailable> {
        if requests.is_empty() {
            return Ok(AllOrNothing { denied: None, decisions: Vec::new() });
        }
        let read = |reply| reply::all(reply, requests.len());
        self.call(|engine, form| engine.ask(Command::CheckAll, requests, form), read).await
    }

    /// Deletes buckets: how many there were.
    pub async fn reset(&self, keys: &[&[u8]]) -> Result<u64, Unavailable> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.call(|engine, form| engine.reset(keys, form), reply::count).await
    }
}
