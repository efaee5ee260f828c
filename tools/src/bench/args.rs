//! What may stand on the command line, and which of it goes together.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use rl_bucket::{Capacity, Cost, Invalid, Limit, Rate};

use super::keys::Keys;
use crate::{
    flags::{capacity, cost},
    query::{Body, Failure, Target},
};

/// Of `bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchArgs {
    /// Checks a second, evenly spread however long answers take: 20000, 600/m [default: as fast as
    /// answers come]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) rate: Option<Rate>,

    /// How long: 500ms, 10s, 5m, 1h; at most a day
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) duration: Duration,

    /// How many connections to open; each has one request in flight
    #[arg(long, value_name = "N", default_value = "64", value_parser = up_to(10_000))]
    pub(super) connections: usize,

    /// With --store: how many requests each connection may have in flight
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(1000))]
    #[arg(requires = "store")]
    pub(super) pipeline: usize,

    /// Threads of this load generator
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(64))]
    pub(super) threads: usize,

    /// How many different keys are checked
    #[arg(long, value_name = "N", default_value = "100000")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    keys: u64,

    /// How unevenly: the n-th key is checked 1/n^SKEW times as often as the first (Zipf's law); 0 is
    /// evenly, 1 as web traffic is
    #[arg(long, value_name = "SKEW", default_value = "0", value_parser = skew)]
    skew: f64,

    /// What keys begin with, before their number: no key of a real caller should
    #[arg(long, value_name = "TEXT", default_value = "bench:")]
    key_prefix: String,

    /// Which keys, in which order
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// How many checks go into one request
    #[arg(long, value_name = "N", default_value = "1", value_parser = up_to(1000))]
    pub(super) batch: usize,

    /// Under which policy [default: default]. With --store it is a part of the buckets' names
    #[arg(long, value_name = "NAME")]
    pub(super) policy: Option<String>,

    /// How many tokens each check takes [default: 1]
    #[arg(long, value_name = "N", value_parser = cost)]
    cost: Option<Cost>,

    /// A limit of one's own: tokens each bucket holds
    #[arg(long, value_name = "TOKENS", requires = "refill", value_parser = capacity)]
    capacity: Option<Capacity>,

    /// And how fast they come back: 10 (a second), 100/m, 5000/h, 1000/d, 5/10s
    #[arg(long, value_name = "RATE", requires = "capacity", value_parser = rate)]
    refill: Option<Rate>,

    #[command(flatten)]
    pub(super) target: Target,
}

/// Bytes that a check in flight takes, beside its key; measured.
const OVERHEAD: usize = 350;
const MAX_IN_FLIGHT: usize = 256 * 1024 * 1024;

// === impl BenchArgs ===

impl BenchArgs {
    /// The keys to check, if what is in flight at a time fits into memory.
    pub(super) fn keys(&self) -> Result<Keys, Failure> {
        let keys = Keys::new(&self.key_prefix, self.keys, self.skew, self.seed);
        let length = keys.key(0).len();
        if length > 1024 {
            return Err(Failure::usage("--key-prefix is too long: a key has at most 1024 bytes"));
        }
        // None of them is above 10000.
        if self.connections * self.pipeline * self.batch * (length + OVERHEAD) > MAX_IN_FLIGHT {
            return Err(Failure::usage(
                "--connections, --pipeline and --batch are too much together: they need over 256 MiB",
            ));
        }
        Ok(keys)
    }

    /// Requests a second.
    pub(super) fn requests(&self) -> Option<f64> {
        self.rate.map(|rate| rate.per_second() / self.batch as f64)
    }

    /// What to send to a front about a key.
    pub(super) fn body<'a>(&'a self, key: &'a str) -> Result<Body<'a>, Failure> {
        if self.policy.is_some() && self.capacity.is_some() {
            return Err(Failure::usage(
                "--policy must not be given along with --capacity and --refill, but for --store",
            ));
        }
        Ok(Body {
            key,
            policy: self.policy.as_deref(),
            cost: self.cost.map(|cost| cost.to_string()),
            capacity: self.capacity.map(|capacity| capacity.to_string()),
            rate: self.refill.map(|rate| rate.to_string()),
        })
    }

    /// Under which limit to ask Redis.
    pub(super) fn limit(&self) -> Result<Limit, Failure> {
        match (self.capacity, self.refill) {
            (Some(capacity), Some(refill)) => Ok(Limit::new(capacity, refill)),
            _ => Err(Failure::usage(
                "--store needs --capacity and --refill: Redis does not know the limits of a front",
            )),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost.unwrap_or(Cost::ONE)
    }

    /// What the load is, in one line.
    pub(super) fn describe(&self) -> String {
        let counted = |count, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
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

fn rate(text: &str) -> Result<Rate, Invalid> {
    Rate::parse(text.as_bytes())
}

fn skew(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(skew) if (0.0..=10.0).contains(&skew) => Ok(skew),
        _ => Err("skew must be a number of 0 to 10"),
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    const DAY: Duration = Duration::from_secs(86_400);
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = unit_ms.zip(digits.parse::<u32>().ok()).map(|(unit, count)| unit * u64::from(count));
    ms.map(Duration::from_millis)
        .filter(|duration| (1..=DAY.as_millis()).contains(&duration.as_millis()))
        .ok_or(
            "duration must be a whole number of ms, s, m or h, such as 500ms, 10s, 5m: at most 24h",
        )
}

#[cfg(test)]
mod tests {
    use super::{duration, skew};

    #[test]
    fn durations() {
        for (text, ms) in [
            ("1ms", Some(1)),
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("5m", Some(300_000)),
            ("24h", Some(86_400_000)),
            ("25h", None),
            ("4294967295h", None),
            ("4294967296ms", None),
            ("0s", None),
            ("10", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("+1s", Some(1000)),
            ("1.5s", None),
            ("1é", None),
        ] {
            let read = duration(text).ok().map(|duration| duration.as_millis());
            assert_eq!(read, ms, "{text}");
        }
    }

    #[test]
    fn skews() {
        for (text, good) in
            [("0", true), ("1", true), ("1.07", true), ("10", true), ("-1", false), ("nan", false)]
        {
            assert_eq!(skew(text).is_ok(), good, "{text}");
        }
    }
}
