//! The arguments of `bench`.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use rl_bucket::{Capacity, Cost, Limit, Rate};

use super::{duration, keyspace::KeySpace};
use crate::{
    error::ToolError,
    flags::{capacity, cost, rate},
    target::{CheckBody, TargetArgs},
};

/// The arguments of `bench`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Load", after_help = AFTER_HELP)]
pub struct BenchArgs {
    /// Checks per second, such as 20000 or 600/m [default: as fast as answers come]
    ///
    /// They are sent at even intervals, however long answers take.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) rate: Option<Rate>,

    /// Duration of the run: 500ms, 10s, 5m, 1h; at most 24h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse)]
    pub(super) duration: Duration,

    /// Connections to open, each with one request in flight
    #[arg(long, value_name = "N", default_value = "64", value_parser = up_to(10_000))]
    pub(super) connections: usize,

    /// With --store: requests in flight on each connection
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(1000))]
    #[arg(requires = "store")]
    pub(super) pipeline: usize,

    /// Threads of the load generator
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(64))]
    pub(super) threads: usize,

    /// Number of different keys
    #[arg(long, value_name = "N", default_value = "100000")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    #[arg(help_heading = KEYS)]
    keys: u64,

    /// Skew of the keys: 0 is uniform, 1 resembles web traffic
    ///
    /// The n-th key is checked 1/n^SKEW times as often as the first (Zipf's law).
    #[arg(long, value_name = "SKEW", default_value = "0", value_parser = skew)]
    #[arg(help_heading = KEYS)]
    skew: f64,

    /// Prefix of the keys, before their number; choose one that no real caller uses
    #[arg(long, value_name = "TEXT", default_value = "bench:", help_heading = KEYS)]
    key_prefix: String,

    /// Seed of the random order of keys
    #[arg(long, value_name = "N", default_value = "1", help_heading = KEYS)]
    seed: u64,

    /// Checks per request
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(1000))]
    pub(super) batch: usize,

    /// Policy of the limits [default: default]
    ///
    /// With --store it is part of the bucket keys.
    #[arg(long, value_name = "NAME", help_heading = LIMIT)]
    pub(super) policy: Option<String>,

    /// Tokens that each check takes [default: 1]
    #[arg(long, value_name = "N", value_parser = cost, help_heading = LIMIT)]
    cost: Option<Cost>,

    /// Capacity of an inline limit: the most tokens a bucket holds
    #[arg(long, value_name = "TOKENS", requires = "refill", value_parser = capacity)]
    #[arg(help_heading = LIMIT)]
    capacity: Option<Capacity>,

    /// Rate at which an inline limit refills, such as 100/m
    ///
    /// Written as 10 (per second), 100/m, 5000/h, 1000/d or 5/10s.
    #[arg(long, value_name = "RATE", requires = "capacity", value_parser = rate)]
    #[arg(help_heading = LIMIT)]
    refill: Option<Rate>,

    #[command(flatten)]
    pub(super) target: TargetArgs,
}

const AFTER_HELP: &str = "\
Examples:
  As fast as the front on this machine answers, for 10 s:
    rl-server bench

  20,000 checks a second of keys as uneven as in web traffic:
    rl-server bench --rate 20000 --skew 1 --duration 1m

  Redis itself:
    rl-server bench --store redis://127.0.0.1:6379 --capacity 100 --refill 100/m

Exit status:
  0  every check was decided, however many were denied
  1  errors, or no answers
  2  invalid command line";

const KEYS: &str = "Keys";
const LIMIT: &str = "Cost and limit";

/// Measured bytes of a check in flight, without its key.
const BYTES_PER_CHECK: usize = 350;
const MAX_BYTES_IN_FLIGHT: usize = 256 * 1024 * 1024;

// === impl BenchArgs ===

impl BenchArgs {
    /// The keys to check. Fails if the requests in flight could take too much memory.
    pub(super) fn keyspace(&self) -> Result<KeySpace, ToolError> {
        let keyspace = KeySpace::new(&self.key_prefix, self.keys, self.skew, self.seed);
        let length = keyspace.key(0).len();
        if length > 1024 {
            return Err(ToolError::usage("--key-prefix is too long: keys have at most 1024 bytes"));
        }
        // None of the factors is above 10000, so the product does not overflow.
        let checks = self.connections * self.pipeline * self.batch;
        if checks * (length + BYTES_PER_CHECK) > MAX_BYTES_IN_FLIGHT {
            return Err(ToolError::usage(
                "--connections, --pipeline and --batch together need more than 256 MiB",
            ));
        }
        Ok(keyspace)
    }

    pub(super) fn requests_per_second(&self) -> Option<f64> {
        self.rate.map(|rate| rate.per_second() / self.batch as f64)
    }

    /// The body of a check of `key` by a front.
    pub(super) fn body<'a>(&'a self, key: &'a str) -> Result<CheckBody<'a>, ToolError> {
        if self.policy.is_some() && self.capacity.is_some() {
            return Err(ToolError::usage(
                "--policy cannot be combined with --capacity and --refill, except with --store",
            ));
        }
        Ok(CheckBody {
            key,
            policy: self.policy.as_deref(),
            cost: self.cost.map(|cost| cost.to_string()),
            capacity: self.capacity.map(|capacity| capacity.to_string()),
            rate: self.refill.map(|rate| rate.to_string()),
        })
    }

    /// The limit of checks by Redis.
    pub(super) fn limit(&self) -> Result<Limit, ToolError> {
        match (self.capacity, self.refill) {
            (Some(capacity), Some(refill)) => Ok(Limit::new(capacity, refill)),
            _ => Err(ToolError::usage(
                "--store needs --capacity and --refill: Redis does not store limits",
            )),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost.unwrap_or(Cost::ONE)
    }

    /// A description of the load in one line.
    pub(super) fn describe(&self) -> String {
        let counted = |count, noun: &str| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        let mut text = match &self.rate {
            Some(rate) => format!("{} checks/s, ", rate.per_second()),
            None => "as fast as answers come, ".to_owned(),
        };
        if self.batch > 1 {
            text += &format!("{} in a request, ", self.batch);
        }
        text += &counted(self.connections as u64, "connection");
        if self.pipeline > 1 {
            text += &format!(" with {} requests in flight", self.pipeline);
        }
        text += &format!(", {}", counted(self.keys, "key"));
        if self.skew > 0.0 {
            text += &format!(" of skew {}", self.skew);
        }
        text
    }
}

// === parsers ===

fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

fn skew(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(skew) if (0.0..=10.0).contains(&skew) => Ok(skew),
        _ => Err("skew must be a number from 0 to 10"),
    }
}

#[cfg(test)]
mod tests {
    use super::skew;

    #[test]
    fn skews_are_numbers_from_0_to_10() {
        for (text, is_valid) in
            [("0", true), ("1", true), ("1.07", true), ("10", true), ("-1", false), ("nan", false)]
        {
            assert_eq!(skew(text).is_ok(), is_valid, "{text}");
        }
    }
}
