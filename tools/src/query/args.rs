//! What may stand on the command line, and which of it goes together.

use std::path::PathBuf;

use rl_bucket::{Capacity, Cost, Limit, Rate};
use rl_store::bucket_key::{DEFAULT_POLICY, Pseudonyms};

use super::{
    Failure,
    direct::{self, Redis},
    http::{Body, Front},
    token::Token,
};
use crate::flags::{EngineFlag, RedisArgs, capacity, cost, rate};

/// Of `check` and `peek`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub(super) subject: Subject,

    /// How many tokens to take [default: 1]
    #[arg(long, value_name = "N", value_parser = cost)]
    cost: Option<Cost>,

    /// A limit of one's own: tokens the bucket holds
    #[arg(long, value_name = "TOKENS", requires = "rate", value_parser = capacity)]
    capacity: Option<Capacity>,

    /// And how fast they come back: 10 (a second), 100/m, 5000/h, 1000/d, 5/10s
    #[arg(long, value_name = "RATE", requires = "capacity", value_parser = rate)]
    rate: Option<Rate>,

    #[command(flatten)]
    pub(super) target: Target,
}

/// Of `reset`.
#[derive(Clone, Debug, clap::Args)]
pub struct ResetArgs {
    #[command(flatten)]
    pub(super) subject: Subject,

    #[command(flatten)]
    pub(super) target: Target,
}

/// Whose buckets.
#[derive(Clone, Debug, clap::Args)]
pub struct Subject {
    /// Whose bucket
    key: String,

    /// Under which policy [default: default]. With --store this names the bucket: POLICY:LIMIT is that
    /// of one of several limits, and inline that of limits which come with the check
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,

    /// With --store: KEY is the Redis key itself, as RL.CHECK takes it
    #[arg(long, requires = "store", conflicts_with = "policy")]
    raw: bool,

    /// With --store: the secret file of the fronts, if they have one [env: RL_KEY_SECRET_FILE=]
    // The variable is read in `redis_key`: for clap, one that is set would conflict with --raw.
    #[arg(long, value_name = "FILE", requires = "store", conflicts_with = "raw")]
    key_secret_file: Option<PathBuf>,
}

/// Whom to ask, and how to tell.
#[derive(Clone, Debug, clap::Args)]
pub struct Target {
    /// The front to ask [env: RL_SERVER=] [default: http://127.0.0.1:8080]
    // The variables are read in `place`: for clap, one that is set would conflict with --store.
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// A file whose first line is the token to show to the front [env: RL_TOKEN=, the token itself]
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    token_file: Option<PathBuf>,

    /// Ask Redis itself, without a front: an address as `rl-server --store` takes it, or `env` for what RL_STORE
    /// holds, where `ps` does not show the password
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, value_name = "STORE", conflicts_with = "server")]
    store: Option<String>,

    /// With --store: what computes the bucket there [default: auto]
    #[arg(long, value_enum, requires = "store")]
    engine: Option<EngineFlag>,

    #[command(flatten)]
    redis: RedisArgs,

    /// Print the answer as JSON, on one line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom to ask.
#[derive(Debug)]
pub(crate) enum Place {
    /// A front, over HTTP.
    Front(Front),
    /// Redis itself.
    Redis(Redis),
}

const SERVER: &str = "http://127.0.0.1:8080";

// === impl CheckArgs ===

impl CheckArgs {
    /// What to send to a front.
    pub(super) fn body(&self) -> Result<Body<'_>, Failure> {
        if self.subject.policy.is_some() && self.capacity.is_some() {
            return Err(Failure::usage(
                "--policy must not be given along with --capacity and --rate, but for --store",
            ));
        }
        Ok(Body {
            cost: self.cost.map(|cost| cost.to_string()),
            capacity: self.capacity.map(|capacity| capacity.to_string()),
            rate: self.rate.map(|rate| rate.to_string()),
            ..self.subject.body()
        })
    }

    /// Under which limit to ask Redis.
    pub(super) fn limit(&self) -> Result<Limit, Failure> {
        match (self.capacity, self.rate) {
            (Some(capacity), Some(rate)) => Ok(Limit::new(capacity, rate)),
            _ => Err(Failure::usage(
                "--store needs --capacity and --rate: Redis does not know the limits of a front",
            )),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost.unwrap_or(Cost::ONE)
    }
}

// === impl Subject ===

impl Subject {
    /// What to send to a front.
    pub(super) fn body(&self) -> Body<'_> {
        Body { key: &self.key, policy: self.policy.as_deref(), ..Body::default() }
    }

    /// The key in Redis, in an environment where variables are read by `lookup`.
    pub(super) fn redis_key(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<u8>, Failure> {
        if self.raw {
            return Ok(self.key.clone().into_bytes());
        }
        let variable = || lookup("RL_KEY_SECRET_FILE").filter(|file| !file.trim().is_empty());
        let names = match self.key_secret_file.clone().or_else(|| variable().map(PathBuf::from)) {
            Some(file) => Pseudonyms::read(&file)
                .map_err(|error| Failure::usage(format!("--key-secret-file {error}")))?,
            None => Pseudonyms::plain(),
        };
        direct::bucket(&names, &self.key, self.policy.as_deref().unwrap_or(DEFAULT_POLICY))
    }
}

// === impl Target ===

impl Target {
    /// Whom to ask, in an environment where variables are read by `lookup`; an empty one is as if it
    /// were not set.
    pub(crate) fn place(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<Place, Failure> {
        let variable = |name| lookup(name).filter(|value| !value.trim().is_empty());
        if let Some(store) = &self.store {
            let engine = self.engine.unwrap_or_default().into();
            if store != "env" {
                return Redis::new(store, &self.redis, engine).map(Place::Redis);
            }
            let store = variable("RL_STORE")
                .ok_or_else(|| Failure::usage("--store env needs an address in RL_STORE"))?;
            return Redis::new(&store, &self.redis, engine).map(Place::Redis);
        }
        let token = match (&self.token_file, variable("RL_TOKEN")) {
            (Some(file), _) => Some(Token::read(file)?),
            (None, Some(text)) => Some(Token::parse(&text)?),
            (None, None) => None,
        };
        let server = self.server.clone().or_else(|| variable("RL_SERVER"));
        Front::new(server.as_deref().unwrap_or(SERVER), token).map(Place::Front)
    }
}
