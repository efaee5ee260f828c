//! Straight at Redis, by the link, the engines and the bucket names of a front.

use std::rc::Rc;

use rl_bucket::{Cost, Limit};

use super::{
    BenchArgs,
    keys::{Keys, Template},
    tally::{Answer, Trouble},
};
use crate::query::{Failure, Line, Redis, bucket};
use rl_bucket::Op;
use rl_store::{
    BucketRequest, EngineKind, StoreError,
    bucket_key::{DEFAULT_POLICY, Pseudonyms},
};

/// A Redis, and what it is asked.
pub(super) struct Site {
    redis: Redis,
    limit: Limit,
    cost: Cost,
    bucket: Template,
    batch: usize,
}

/// One request at a time over a connection, which others may use as well.
pub(super) struct Lane {
    line: Rc<Line>,
    limit: Limit,
    cost: Cost,
    buckets: Vec<Template>,
}

// === impl Site ===

impl Site {
    /// A Redis, and what the arguments say to ask it.
    pub(super) fn new(redis: Redis, args: &BenchArgs, keys: &Keys) -> Result<Self, Failure> {
        let policy = args.policy.as_deref().unwrap_or(DEFAULT_POLICY);
        let bucket = bucket(&Pseudonyms::plain(), &keys.key(0), policy)?;
        let end = bucket.len() - "}:".len() - policy.len();
        Ok(Self {
            redis,
            limit: args.limit()?,
            cost: args.cost(),
            bucket: Template::new(bucket, &[end], keys.width()),
            batch: args.batch,
        })
    }

    /// Its address.
    pub(super) fn name(&self) -> &str {
        self.redis.name()
    }

    /// Which engine answers there; takes nothing.
    pub(super) async fn probe(&self) -> Result<&'static str, Failure> {
        let line = self.redis.connect().await?;
        Ok(match line.status.engine() {
            EngineKind::Lua => "lua",
            _ => "module",
        })
    }

    /// Connects, if it can be done now; if not, it goes on trying.
    pub(super) async fn open(&self) -> Rc<Line> {
        let line = self.redis.start();
        let _ = self.redis.up(&line).await;
        Rc::new(line)
    }

    /// A lane of a connection.
    pub(super) fn lane(&self, line: &Rc<Line>) -> Lane {
        let buckets = vec![self.bucket.clone(); self.batch];
        Lane { line: Rc::clone(line), limit: self.limit, cost: self.cost, buckets }
    }
}

// === impl Lane ===

impl Lane {
    /// One request about the keys of these numbers.
    pub(super) async fn ask(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<Answer, Trouble> {
        for (bucket, number) in self.buckets.iter_mut().zip(numbers) {
            bucket.fill([number]);
        }
        let (limit, amount) = (self.limit, self.cost);
        let request = |bucket| BucketRequest { key: Template::bytes(bucket), limit, amount };
        let mut answer = Answer::default();
        let mut count = |allowed: bool| {
            answer.allowed += u64::from(allowed);
            answer.denied += u64::from(!allowed);
        };
        let link = &self.line.link;
        match self.buckets.as_slice() {
            [bucket] => {
                let decision = link.apply(Op::Check, &request(bucket)).await;
                count(decision.map_err(|error| self.reason(error))?.is_allowed());
            }
            buckets => {
                let requests: Vec<_> = buckets.iter().map(request).collect();
                let decisions = link.check_each(&requests).await;
                for decision in decisions.map_err(|error| self.reason(error))? {
                    match decision {
                        Ok(decision) => count(decision.is_allowed()),
                        Err(StoreError::Failed) => {
                            answer.refused.push("a key that is no bucket".into());
                        }
                        Err(error) => return Err(self.reason(error)),
                    }
                }
            }
        }
        Ok(answer)
    }

    /// The kind of a failure.
    fn reason(&self, error: StoreError) -> Trouble {
        let reason = self.line.status.reason();
        match (error, reason) {
            (StoreError::Late, _) => "no answer in time".into(),
            (_, Some(reason)) => reason.into_string().into(),
            (StoreError::Shed, None) => "too much in flight".into(),
            (StoreError::Down, None) => "no connection".into(),
            (StoreError::Failed, None) => "an error".into(),
        }
    }
}
