//! What the operator decides: flags, each also an environment variable, checked once at start.

mod address;
mod redis;

use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::RangedU64ValueParser,
    error::{Error, ErrorKind},
};
use rl_bucket::{Capacity, Invalid, Limit, Rate};

pub use self::{
    address::{Host, RedisAddress, StoreAddress, Topology},
    redis::{RedisArgs, RedisSettings, TlsSettings, Verify},
};

use crate::bench::BenchArgs;
use crate::client;
use crate::simulate::SimulateArgs;

/// The settings of one server; they cannot be invalid.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HOST:PORT` to bind.
    pub listen: String,
    /// `HOST:PORT` to bind for operators, if they have a listener of their own.
    pub admin_listen: Option<String>,
    /// Where the buckets live; `None`: in this process.
    pub store: Option<RedisSettings>,
    /// What computes them, if they live in Redis.
    pub engine: EngineChoice,
    /// Where the limits are from.
    pub policies: PolicySource,
    /// The tokens that callers must have; `None`: everybody may ask everything.
    pub tokens: Option<PathBuf>,
    /// When policies, tokens and the password of Redis are read again.
    pub reload: Reload,
    /// The secret under which keys get pseudonyms; `None`: they go by their own names.
    pub key_secret: Option<PathBuf>,
    /// How long a check may wait for Redis: 1 ms to 60 s.
    pub deadline: Duration,
    /// Worker threads, each with its own connection to Redis.
    pub workers: usize,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Where the limits are from.
#[derive(Clone, Debug)]
pub enum PolicySource {
    /// Flags: the limit of the policy `default`.
    Flags(Limit),
    /// A file, read again when it changes.
    File(PathBuf),
}

/// What the program is to do.
#[derive(Debug)]
pub enum Invocation {
    /// Serve.
    Serve(Box<Settings>),
    /// Say whether a policy file is good.
    CheckConfig(PathBuf),
    /// Show how algorithms meet a load.
    Simulate(SimulateArgs),
    /// Load a front, or Redis.
    Bench(Box<BenchArgs>),
    /// Ask a front, or Redis.
    Ask(Box<client::Command>),
}

/// When files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reload {
    /// When they change, at the latest a second later, and on SIGHUP
    Change,
    /// On SIGHUP alone, for mounts where each look is a call that costs; the password with each new connection
    Signal,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, as Cloud Logging reads it
    Json,
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
#[command(name = "rl-server", version, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Address to listen on [default: 127.0.0.1:8080, or 0.0.0.0:$PORT if PORT is set]
    #[arg(long, env = "RL_LISTEN", value_name = "HOST:PORT", value_parser = host_and_port)]
    listen: Option<String>,

    /// Where buckets live: `memory`, `redis://USER:PASSWORD@HOST:PORT/DB` (all but HOST optional),
    /// `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE`, `redis+cluster://HOST:PORT,HOST:PORT`; with TLS `rediss`
    // Read as plain text: a parse error of clap's would print the password.
    #[arg(long, env = "RL_STORE", value_name = "STORE", default_value = "memory")]
    #[arg(hide_env_values = true)]
    store: String,

    #[command(flatten)]
    redis: RedisArgs,

    /// What computes buckets in Redis
    #[arg(long, env = "RL_ENGINE", value_enum, default_value_t = EngineChoice::Auto)]
    engine: EngineChoice,

    /// Policy file (TOML), read again as --reload says
    #[arg(long, env = "RL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Say whether a policy file is good, and exit
    #[arg(long, value_name = "FILE")]
    check_config: Option<PathBuf>,

    /// Without --config: tokens a bucket holds under the policy "default" [default: 100]
    #[arg(long, env = "RL_CAPACITY", value_name = "TOKENS", value_parser = capacity)]
    capacity: Option<Capacity>,

    /// And how fast they come back: 10 (a second), 100/m, 5000/h, 1000/d, 5/10s [default: 100/m]
    #[arg(long, env = "RL_RATE", value_name = "RATE", value_parser = rate)]
    rate: Option<Rate>,

    /// Token file (TOML): who may ask what, read again as --config is; without it everybody may
    #[arg(long, env = "RL_TOKENS", value_name = "FILE")]
    tokens: Option<PathBuf>,

    /// When the files of --config, --tokens and --redis-password-file are read again
    #[arg(long, env = "RL_RELOAD", value_name = "WHEN", value_enum, default_value_t = Reload::Change)]
    reload: Reload,

    /// Secret file: HMAC-SHA-256 under it stands for each key in Redis and in /admin/denied
    #[arg(long, env = "RL_KEY_SECRET_FILE", value_name = "FILE")]
    key_secret_file: Option<PathBuf>,

    /// Address of a second listener, for /metrics, /admin/denied and /health
    #[arg(long, env = "RL_ADMIN_LISTEN", value_name = "HOST:PORT", value_parser = host_and_port)]
    admin_listen: Option<String>,

    /// Longest wait for Redis, in milliseconds, before a check is decided without it
    #[arg(long, env = "RL_DEADLINE_MS", value_name = "MS", default_value = "50")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=60_000))]
    deadline_ms: u64,

    /// Worker threads [default: one per core]
    #[arg(long, env = "RL_WORKERS", value_name = "N")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    workers: Option<usize>,

    /// How log lines look
    #[arg(long, env = "RL_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// What there is to do beside serving
#[derive(Subcommand)]
enum Command {
    /// Show how token bucket, fixed window, sliding window and leaky bucket meet a load
    Simulate(SimulateArgs),
    /// Load a front, or Redis, with checks, and tell how fast they are answered
    Bench(Box<BenchArgs>),
    #[command(flatten)]
    Ask(client::Command),
}

const CAPACITY: &[u8] = b"100";
const RATE: &[u8] = b"100/m";
const LISTEN: &str = "127.0.0.1:8080";

// === impl Invocation ===

impl Invocation {
    /// Reads command line (the first of `args` being the program's name) and environment. The error
    /// knows its text and its exit code; `--help` and `--version` are errors too.
    pub fn from_args<A>(args: impl IntoIterator<Item = A>) -> Result<Self, Error>
    where
        A: Into<OsString> + Clone,
    {
        let args = Args::from_arg_matches(&Args::command().try_get_matches_from(args)?)?;
        match args.command {
            Some(Command::Ask(command)) => return Ok(Self::Ask(Box::new(command))),
            Some(Command::Bench(args)) => return Ok(Self::Bench(args)),
            Some(Command::Simulate(args)) => return Ok(Self::Simulate(args)),
            None => {}
        }
        if let Some(file) = args.check_config {
            return Ok(Self::CheckConfig(file));
        }
        match Settings::checked(args, env::var("PORT").ok()) {
            Ok(settings) => Ok(Self::Serve(Box::new(settings))),
            Err(text) => Err(Args::command().error(ErrorKind::ValueValidation, text)),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// Where the buckets live, without a secret.
    pub fn store_name(&self) -> String {
        self.store.as_ref().map_or_else(|| "memory".to_owned(), |it| it.address.to_string())
    }

    fn checked(args: Args, port: Option<String>) -> Result<Self, String> {
        let listen = match (args.listen, port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => host_and_port(&format!("0.0.0.0:{port}"))
                .map_err(|_| "PORT must be a port number".to_owned())?,
            (None, None) => LISTEN.to_owned(),
        };
        let store = StoreAddress::parse(&args.store).map_err(|error| format!("--store {error}"))?;
        let store = match store {
            StoreAddress::Memory if args.engine != EngineChoice::Auto => {
                return Err("--engine needs a --store in Redis".to_owned());
            }
            StoreAddress::Memory => None,
            StoreAddress::Redis(address) => {
                let mut redis = RedisSettings::new(address, &args.redis)?;
                redis.watches_password &= args.reload == Reload::Change;
                Some(redis)
            }
        };
        let policies = match (args.config, args.capacity, args.rate) {
            (Some(file), None, None) => PolicySource::File(file),
            (Some(_), _, _) => {
                return Err("--capacity and --rate are for servers without --config".to_owned());
            }
            (None, capacity, rate) => PolicySource::Flags(Limit::new(
                capacity.map_or_else(|| Capacity::parse(CAPACITY), Ok).map_err(Invalid::text)?,
                rate.map_or_else(|| Rate::parse(RATE), Ok).map_err(Invalid::text)?,
            )),
        };
        Ok(Self {
            listen,
            admin_listen: args.admin_listen,
            store,
            engine: args.engine,
            policies,
            tokens: args.tokens,
            reload: args.reload,
            key_secret: args.key_secret_file,
            log_format: args.log_format,
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

    use super::{Args, EngineChoice, PolicySource, Settings};

    fn settings(args: &[&str], port: Option<&str>) -> Result<Settings, String> {
        let args = Args::try_parse_from([&["rl-server"], args].concat())
            .map_err(|error| error.to_string())?;
        Settings::checked(args, port.map(str::to_owned))
    }

    #[test]
    fn defaults() {
        let settings = settings(&[], None).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:8080");
        assert!(settings.store.is_none());
        assert_eq!(settings.engine, EngineChoice::Auto);
        let PolicySource::Flags(limit) = settings.policies else { panic!("no file was given") };
        assert_eq!(limit.capacity().to_string(), "100");
        assert_eq!(limit.rate().to_string(), "100/m");
        assert!(settings.tokens.is_none() && settings.key_secret.is_none());
        assert!(settings.admin_listen.is_none());
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
    fn limits_are_from_flags_or_from_a_file() {
        let both = settings(&["--config", "f", "--rate", "1"], None).unwrap_err();
        assert!(both.contains("for servers without --config"), "{both}");
        let file = settings(&["--config", "f"], None).unwrap();
        assert!(matches!(file.policies, PolicySource::File(_)));
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
            (["--store", "rediss:/h"], "--store must be memory, or redis://"),
        ] {
            let error = settings(&args, None).unwrap_err();
            assert!(error.contains(text), "{args:?}: {error}");
        }
    }
}
