//! The plan of a run: what is sent, where, when and how.

use super::{http::FrontLoad, keyspace::KeySpace, redis::RedisLoad, schedule::Schedule};
use crate::error::ToolError;

/// The plan of a run, shared by all threads.
pub(super) struct LoadPlan {
    pub(super) target: LoadTarget,
    pub(super) keyspace: KeySpace,
    pub(super) schedule: Schedule,
    /// Checks in a request.
    pub(super) batch: usize,
    pub(super) connections: usize,
    /// Requests in flight on each connection.
    pub(super) pipeline: usize,
    pub(super) threads: usize,
}

/// A target, with the requests for it prepared.
pub(super) enum LoadTarget {
    Front(Box<FrontLoad>),
    Redis(Box<RedisLoad>),
}

// === impl LoadTarget ===

impl LoadTarget {
    /// The address, to be shown.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Front(load) => load.name(),
            Self::Redis(load) => load.name(),
        }
    }

    /// Checks that the target answers, without taking tokens. Returns its engine if it is Redis.
    pub(super) async fn probe(&self) -> Result<Option<&'static str>, ToolError> {
        match self {
            Self::Front(load) => load.probe().await.map(|()| None),
            Self::Redis(load) => load.probe().await.map(Some),
        }
    }
}
