//! `check` and `peek`: one call, and its answer in a glance or as the front's JSON.

use std::io::Write;

use rl_bucket::{Capacity, Cost, Limit, Op, Rate};
use rl_store::BucketRequest;

use super::response::{CheckResponse, DecisionJson};
use crate::{
    error::ToolError,
    flags::{capacity, cost, rate},
    key::KeyArgs,
    target::{CheckBody, INVALID_REPLY, Target, TargetArgs},
    terminal::one_line,
};

/// The arguments of `check` and `peek`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    key: KeyArgs,

    /// Tokens to take [default: 1]
    #[arg(long, value_name = "N", value_parser = cost, help_heading = LIMIT)]
    cost: Option<Cost>,

    /// Capacity of an inline limit: the most tokens the bucket holds
    #[arg(long, value_name = "TOKENS", requires = "rate", value_parser = capacity)]
    #[arg(help_heading = LIMIT)]
    capacity: Option<Capacity>,

    /// Rate at which an inline limit refills, such as 100/m
    ///
    /// Written as 10 (per second), 100/m, 5000/h, 1000/d or 5/10s.
    #[arg(long, value_name = "RATE", requires = "capacity", value_parser = rate)]
    #[arg(help_heading = LIMIT)]
    rate: Option<Rate>,

    #[command(flatten)]
    target: TargetArgs,
}

const LIMIT: &str = "Cost and limit";

// === impl CheckArgs ===

impl CheckArgs {
    /// Makes the call and writes its answer. Returns whether the key may proceed.
    pub(crate) async fn run(
        &self,
        op: Op,
        lookup: impl Fn(&str) -> Option<String>,
        out: &mut impl Write,
    ) -> Result<bool, ToolError> {
        // Both targets answer in the front's JSON, so there is one way to read it.
        let json = match self.target.resolve(&lookup)? {
            Target::Front(front) if op == Op::Peek => front.post("/peek", &self.body()?)?,
            Target::Front(front) => front.post("/check", &self.body()?)?,
            Target::Redis(redis) => {
                let (key, limit) = (self.key.bucket_key(&lookup)?, self.limit()?);
                let amount = self.cost.unwrap_or(Cost::ONE);
                let decision = redis.apply(op, &BucketRequest { key: &key, limit, amount }).await?;
                serde_json::to_string(&DecisionJson::from(decision))
                    .map_err(|error| ToolError::no_answer(error.to_string()))?
            }
        };
        let response: CheckResponse =
            serde_json::from_str(&json).map_err(|_| ToolError::no_answer(INVALID_REPLY))?;
        if self.target.json {
            writeln!(out, "{}", one_line(&json))?;
        } else {
            write!(out, "{response}")?;
        }
        out.flush()?;
        Ok(response.decision.allowed)
    }

    /// The body of a request to a front.
    fn body(&self) -> Result<CheckBody<'_>, ToolError> {
        if self.key.policy.is_some() && self.capacity.is_some() {
            return Err(ToolError::usage(
                "--policy cannot be combined with --capacity and --rate, except with --store",
            ));
        }
        Ok(CheckBody {
            cost: self.cost.map(|cost| cost.to_string()),
            capacity: self.capacity.map(|capacity| capacity.to_string()),
            rate: self.rate.map(|rate| rate.to_string()),
            ..self.key.body()
        })
    }

    /// The limit of a call to Redis.
    fn limit(&self) -> Result<Limit, ToolError> {
        match (self.capacity, self.rate) {
            (Some(capacity), Some(rate)) => Ok(Limit::new(capacity, rate)),
            _ => Err(ToolError::usage(
                "--store needs --capacity and --rate: Redis does not store limits",
            )),
        }
    }
}
