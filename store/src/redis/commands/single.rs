//! Commands on one bucket that reply with a decision.

use std::slice;

use rl_bucket::Decision;

use super::spec::{Arguments, Command, CommandSpec};
use crate::{
    BucketRequest,
    redis::{error::CommandError, resp::reply::Reply},
};

/// A call of a command on one bucket.
pub(in crate::redis) struct Single<'a> {
    pub(super) spec: &'static CommandSpec,
    pub(super) request: &'a BucketRequest<'a>,
}

impl Command for Single<'_> {
    type Output = Decision;

    fn spec(&self) -> &'static CommandSpec {
        self.spec
    }

    fn arguments(&self) -> Arguments<'_> {
        Arguments::Buckets(slice::from_ref(self.request))
    }

    /// Reads five integers.
    fn decode(&self, reply: Reply) -> Result<Self::Output, CommandError> {
        reply.decision()
    }
}
