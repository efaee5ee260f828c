//! What the operator decides: flags, each also an environment variable, checked once at start.

mod address;

use std::{env, ffi::OsString, num::NonZeroUsize, thread, time::Duration};

use clap::{
    CommandFactory, FromArgMatches, Parser, ValueEnum,
    builder::RangedU64ValueParser,
    error::{Error, ErrorKind},
};
use rl_bucket::{Capacity, Invalid, Limit, Rate};

pub use address::StoreAddress;

/// The settings of one server; they cannot be invalid.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HOST:PORT` to bind.
    pub listen: String,
    /// Where the buckets live.
    pub store: StoreAddress,
    /// What computes them, if they live in Redis.
    pub engine: EngineChoice,
    /// The limit of the policy `default`.
    pub limit: Limit,
    /// How long a check may wait for Redis: 1 ms to 60 s.
    pub deadline: Duration,
    /// Worker threads, each with its own connection to Redis.
    pub workers: usize,
}

/// Which engine may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// The module if the server has it, else Lua
    Auto,
    /// The Redis module only
    Module,
    /// The Lua scripts only
    Lua,
}

/// A distributed rate limiter: POST /check answers whether a key may go on now.
#[derive(Parser)]
#[command(name = "rl-server", version)]
struct Args {
    /// Address to listen on [default: 127.0.0.1:8080, or 0.0.0.0:$PORT if PORT is set]
    #[arg(long, env = "RL_LISTEN", value_name = "HOST:PORT", value_parser = host_and_port)]
    listen: Option<String>,

    /// Where buckets live: `memory`, or `redis://USER:PASSWORD@HOST:PORT/DB` (all but HOST optional)
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, env = "RL_STORE", value_name = "STORE", default_value = "memory")]
    #[arg(hide_env_values = true)]
    store: String,

    /// What computes buckets in Redis
    #[arg(long, env = "RL_ENGINE", value_enum, default_value_t = EngineChoice::Auto)]
    engine: EngineChoice,

    /// Tokens a bucket holds under the policy "default"
    #[arg(long, env = "RL_CAPACITY", value_name = "TOKENS", default_value = "100")]
    #[arg(value_parser = capacity)]
    capacity: Capacity,

    /// How fast they come back: 10 (a second), 100/m, 5000/h, 1000/d, 5/10s
    #[arg(long, env = "RL_RATE", value_name = "RATE", default_value = "100/m")]
    #[arg(value_parser = rate)]
    rate: Rate,

    /// Longest wait for Redis, in milliseconds, before a check is decided locally
    #[arg(long, env = "RL_DEADLINE_MS", value_name = "MS", default_value = "50")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=60_000))]
    deadline_ms: u64,

    /// Worker threads [default: one per core]
    #[arg(long, env = "RL_WORKERS", value_name = "N")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    workers: Option<usize>,
}

const LISTEN: &str = "127.0.0.1:8080";

// === impl Settings ===

impl Settings {
    /// Reads command line (the first of `args` being the program's name) and environment. The error
    /// knows its text and its exit code; `--help` and `--version` are errors too.
    pub fn from_args<A>(args: impl IntoIterator<Item = A>) -> Result<Self, Error>
    where
        A: Into<OsString> + Clone,
    {
        let args = Args::from_arg_matches(&Args::command().try_get_matches_from(args)?)?;
        Self::checked(args, env::var("PORT").ok())
            .map_err(|text| Args::command().error(ErrorKind::ValueValidation, text))
    }

    fn checked(args: Args, port: Option<String>) -> Result<Self, String> {
        let listen = match (args.listen, port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => host_and_port(&format!("0.0.0.0:{port}"))
                .map_err(|_| "PORT must be a port number".to_owned())?,
            (None, None) => LISTEN.to_owned(),
        };
        let store = StoreAddress::parse(&args.store).map_err(|error| format!("--store {error}"))?;
        if matches!(store, StoreAddress::Memory) && args.engine != EngineChoice::Auto {
            return Err("--engine needs a --store in Redis".to_owned());
        }
        Ok(Self {
            listen,
            store,
            engine: args.engine,
            limit: Limit::new(args.capacity, args.rate),
            deadline: Duration::from_millis(args.deadline_ms),
            workers: args
                .workers
                .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        })
    }
}

// === parsers ===

fn host_and_port(text: &str) -> Result<String, &'static str> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err("listen must be HOST:PORT, such as 127.0.0.1:8080"),
    }
}

fn capacity(text: &str) -> Result<Capacity, Invalid> {
    Capacity::parse(text.as_bytes())
}

fn rate(text: &str) -> Result<Rate, Invalid> {
    Rate::parse(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Args, EngineChoice, Settings};

    fn settings(args: &[&str], port: Option<&str>) -> Result<Settings, String> {
        let args = Args::try_parse_from([&["rl-server"], args].concat())
            .map_err(|error| error.to_string())?;
        Settings::checked(args, port.map(str::to_owned))
    }

    #[test]
    fn defaults() {
        let settings = settings(&[], None).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:8080");
        assert_eq!(settings.store.to_string(), "memory");
        assert_eq!(settings.engine, EngineChoice::Auto);
        assert_eq!(settings.limit.capacity().to_string(), "100");
        assert_eq!(settings.limit.rate().to_string(), "100/m");
        assert_eq!(settings.deadline.as_millis(), 50);
        assert!(settings.workers >= 1);
    }

    #[test]
    fn port_counts_only_when_no_address_is_given() {
        assert_eq!(settings(&[], Some("9000")).unwrap().listen, "0.0.0.0:9000");
        let given = settings(&["--listen", "[::1]:7000"], Some("9000")).unwrap();
        assert_eq!(given.listen, "[::1]:7000");
        assert_eq!(settings(&[], Some("http")).unwrap_err(), "PORT must be a port number");
    }

    #[test]
    fn refusals_name_the_rule() {
        for (args, text) in [
            (["--capacity", "0"], "capacity must be a plain decimal number above 0"),
            (["--capacity", "1e3"], "capacity must be a plain decimal number above 0"),
            (["--rate", "100/x"], "rate must be a plain decimal number, alone or over a period"),
            (["--deadline-ms", "0"], "0 is not in 1..=60000"),
            (["--deadline-ms", "60001"], "60001 is not in 1..=60000"),
            (["--workers", "0"], "0 is not in 1..=1024"),
            (["--listen", "8080"], "listen must be HOST:PORT"),
            (["--engine", "lua"], "--engine needs a --store in Redis"),
            (["--store", "rediss://h"], "--store rediss:// is not supported yet"),
        ] {
            let error = settings(&args, None).unwrap_err();
            assert!(error.contains(text), "{args:?}: {error}");
        }
    }
}
