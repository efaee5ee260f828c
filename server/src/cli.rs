//! The command line: flags, which are environment variables too, and subcommands.

use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, thread, time::Duration};

use clap::{
    CommandFactory, FromArgMatches, Parser, Subcommand,
    builder::RangedU64ValueParser,
    error::{Error, ErrorKind},
};
use rl_bucket::{Capacity, Invalid, Limit, Rate};
use rl_server::{
    listen_address::ListenAddress,
    memory_limit,
    reload::Reload,
    settings::{PolicySource, Settings},
    telemetry::LogFormat,
};
use rl_store::redis::StoreAddress;
use rl_tools::{
    ClientCommand,
    bench::BenchArgs,
    flags::{EngineFlag, RedisArgs, capacity, rate},
    simulate::SimulateArgs,
};

use crate::{environment, help};

/// The parsed command line.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Run a front.
    Serve(Box<Settings>),
    /// Validate a policy file, a token file or both.
    CheckFiles {
        /// The policy file; `-`: standard input.
        policies: Option<PathBuf>,
        /// The token file; `-`: standard input.
        tokens: Option<PathBuf>,
    },
    /// Compare algorithms under a load.
    Simulate(SimulateArgs),
    /// Load a front or Redis.
    Bench(Box<BenchArgs>),
    /// Make a single call to a front or Redis.
    Client(Box<ClientCommand>),
}

/// A distributed rate limiter: POST /check answers whether a key may proceed
///
/// Without a command it runs a front: an HTTP server that decides with token buckets, in Redis or in
/// its own memory. The commands call a front or Redis, measure them, or show what a limit does.
/// Most flags can be given as environment variables instead.
#[derive(Parser)]
#[command(name = "rl-server", version, args_conflicts_with_subcommands = true)]
#[command(max_term_width = help::MAX_WIDTH)]
#[command(after_help = help::AFTER_SHORT, after_long_help = help::AFTER_LONG)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Address to listen on [default: 127.0.0.1:8080, or 0.0.0.0:$PORT if PORT is set]
    ///
    /// `HOST:PORT`; a Unix socket, `unix:/PATH`, with the permissions 660 unless `,mode=OCTAL`
    /// follows; or `systemd`, the socket that systemd passes on (`systemd:NAME` if there are
    /// several).
    #[arg(long, env = "RL_LISTEN", value_name = "ADDRESS", value_parser = ListenAddress::parse)]
    #[arg(help_heading = help::LISTENING)]
    listen: Option<ListenAddress>,

    /// Where to keep buckets: `memory`, or the address of Redis
    ///
    /// `redis://USER:PASSWORD@HOST:PORT/DB` (only HOST is required),
    /// `redis+unix://USER:PASSWORD@/PATH?db=DB` (only PATH is required),
    /// `redis+sentinel://HOST:PORT,HOST:PORT/SERVICE` or `redis+cluster://HOST:PORT,HOST:PORT`; for
    /// TLS, `rediss` instead of `redis`.
    // Not parsed by clap, whose errors would print the password.
    #[arg(long, env = "RL_STORE", value_name = "STORE", default_value = "memory")]
    #[arg(hide_env_values = true, help_heading = help::STORE)]
    store: String,

    #[command(flatten)]
    redis: RedisArgs,

    /// Engine that computes buckets in Redis
    #[arg(long, env = "RL_ENGINE", value_enum, default_value_t = EngineFlag::Auto)]
    #[arg(help_heading = help::STORE)]
    engine: EngineFlag,

    /// Policy file (TOML), reloaded as --reload says
    #[arg(long, env = "RL_CONFIG", value_name = "FILE", help_heading = help::POLICIES)]
    config: Option<PathBuf>,

    /// Validate a policy file (-: standard input), and exit
    #[arg(long, value_name = "FILE", help_heading = help::POLICIES)]
    check_config: Option<PathBuf>,

    /// Validate a token file (-: standard input), and exit
    #[arg(long, value_name = "FILE", help_heading = help::ACCESS)]
    check_tokens: Option<PathBuf>,

    /// Most tokens a bucket holds under the policy "default", without --config [default: 100]
    #[arg(long, env = "RL_CAPACITY", value_name = "TOKENS", value_parser = capacity)]
    #[arg(help_heading = help::POLICIES)]
    capacity: Option<Capacity>,

    /// Tokens a bucket gains under the policy "default", without --config [default: 100/m]
    ///
    /// Written as 10 (per second), 100/m, 5000/h, 1000/d or 5/10s.
    #[arg(long, env = "RL_RATE", value_name = "RATE", value_parser = rate)]
    #[arg(help_heading = help::POLICIES)]
    rate: Option<Rate>,

    /// Token file (TOML) with the rights of callers; without it, no token is needed
    ///
    /// It is reloaded as --reload says.
    #[arg(long, env = "RL_TOKENS", value_name = "FILE", help_heading = help::ACCESS)]
    tokens: Option<PathBuf>,

    /// When to reload the files of --config, --tokens and --redis-password-file
    #[arg(long, env = "RL_RELOAD", value_name = "WHEN")]
    #[arg(value_enum, default_value_t = Reload::Change, help_heading = help::OPERATION)]
    reload: Reload,

    /// Secret file: in Redis and in /admin/denied, each key is replaced by its HMAC-SHA-256
    #[arg(long, env = "RL_KEY_SECRET_FILE", value_name = "FILE", help_heading = help::ACCESS)]
    key_secret_file: Option<PathBuf>,

    /// Second address to listen on, for /metrics, /admin/denied and /health
    ///
    /// In the forms of --listen.
    #[arg(long, env = "RL_ADMIN_LISTEN", value_name = "ADDRESS")]
    #[arg(value_parser = ListenAddress::parse, help_heading = help::LISTENING)]
    admin_listen: Option<ListenAddress>,

    /// Longest wait for Redis in milliseconds, 1 to 60000; then a check is decided without it
    #[arg(long, env = "RL_DEADLINE_MS", value_name = "MS", default_value = "50")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=60_000))]
    #[arg(help_heading = help::STORE)]
    deadline_ms: u64,

    /// Most memory for buckets in this process, such as 512M [default: a quarter of the container's
    /// or machine's memory]
    ///
    /// Bytes, or a number with K, M, G, Ki, Mi or Gi; at least 1M. When it is used up, buckets
    /// nearest to full are evicted.
    #[arg(long, env = "RL_MEMORY_LIMIT", value_name = "BYTES", value_parser = memory_limit::parse)]
    #[arg(help_heading = help::STORE)]
    memory_limit: Option<usize>,

    /// Worker threads, 1 to 1024 [default: one per core]
    #[arg(long, env = "RL_WORKERS", value_name = "N")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    #[arg(help_heading = help::OPERATION)]
    workers: Option<usize>,

    /// Seconds for which a connection without a request is kept, 1 to 86400
    ///
    /// Choose more than the proxy or load balancer before the front does.
    #[arg(long, env = "RL_KEEP_ALIVE_S", value_name = "S", default_value = "620")]
    #[arg(value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    #[arg(help_heading = help::LISTENING)]
    keep_alive_s: u64,

    /// Format of log lines
    ///
    /// The variable RUST_LOG sets what is logged: `info` if it is unset, `debug`, `rl_store=debug`.
    #[arg(long, env = "RL_LOG_FORMAT", value_name = "FORMAT")]
    #[arg(value_enum, default_value_t = LogFormat::Text, help_heading = help::OPERATION)]
    log_format: LogFormat,
}

/// Subcommands
#[derive(Subcommand)]
enum Command {
    /// Compare token bucket, fixed window, sliding window and leaky bucket under a load
    ///
    /// It needs no front and no Redis: time is simulated, and equal arguments give equal output.
    Simulate(SimulateArgs),
    /// Load a front or Redis with checks, and measure how fast they are answered
    ///
    /// The keys have a prefix of their own, so that no real caller's bucket is touched. Progress
    /// goes to standard error, the result to standard output. Ctrl-C ends the run early.
    Bench(Box<BenchArgs>),
    #[command(flatten)]
    Client(ClientCommand),
}

const CAPACITY: &[u8] = b"100";
const RATE: &[u8] = b"100/m";
const LISTEN: &str = "127.0.0.1:8080";

// === impl Invocation ===

impl Invocation {
    /// Reads the command line (the first of `args` is the program's name) and the environment. The
    /// error has a text and an exit code; `--help` and `--version` are errors too.
    pub(crate) fn from_args<A>(args: impl IntoIterator<Item = A>) -> Result<Self, Error>
    where
        A: Into<OsString> + Clone,
    {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        let command = environment::without_empty(command());
        let matches = command.clone().try_get_matches_from(&args);
        let matches = matches.map_err(|error| environment::name_in(error, &command, &args))?;
        let from = environment::variables(&command, &matches);
        let args = Args::from_arg_matches(&matches)?;
        match args.command {
            Some(Command::Client(command)) => return Ok(Self::Client(Box::new(command))),
            Some(Command::Bench(args)) => return Ok(Self::Bench(args)),
            Some(Command::Simulate(args)) => return Ok(Self::Simulate(args)),
            None => {}
        }
        if args.check_config.is_some() || args.check_tokens.is_some() {
            return Ok(Self::CheckFiles { policies: args.check_config, tokens: args.check_tokens });
        }
        match args.settings(env::var("PORT").ok().filter(|port| !port.is_empty())) {
            Ok(settings) => Ok(Self::Serve(Box::new(settings))),
            Err(text) => {
                let text = environment::name(&text, &from);
                Err(Args::command().error(ErrorKind::ValueValidation, text))
            }
        }
    }
}

/// The command line as clap parses it and `--help` shows it.
pub(crate) fn command() -> clap::Command {
    help::under_headings(Args::command())
}

// === impl Args ===

impl Args {
    /// The settings. The error names the flags that do not fit together.
    fn settings(self, port: Option<String>) -> Result<Settings, String> {
        let listen = match (self.listen, port) {
            (Some(listen), _) => listen,
            (None, Some(port)) => ListenAddress::parse(&format!("0.0.0.0:{port}"))
                .map_err(|_| "PORT must be a port number".to_owned())?,
            (None, None) => ListenAddress::Tcp(LISTEN.to_owned()),
        };
        let store = StoreAddress::parse(&self.store).map_err(|error| format!("--store {error}"))?;
        let store = match store {
            StoreAddress::Memory if self.engine != EngineFlag::Auto => {
                return Err("--engine needs a --store in Redis".to_owned());
            }
            StoreAddress::Memory => None,
            StoreAddress::Redis(address) => {
                let mut redis = self.redis.settings(address)?;
                redis.watches_password &= self.reload == Reload::Change;
                Some(redis)
            }
        };
        let policies = match (self.config, self.capacity, self.rate) {
            (Some(file), None, None) => PolicySource::File(file),
            (Some(_), _, _) => {
                return Err("--capacity and --rate cannot be used with --config".to_owned());
            }
            (None, capacity, rate) => PolicySource::Flags(Limit::new(
                capacity.map_or_else(|| Capacity::parse(CAPACITY), Ok).map_err(Invalid::text)?,
                rate.map_or_else(|| Rate::parse(RATE), Ok).map_err(Invalid::text)?,
            )),
        };
        Ok(Settings {
            listen,
            admin_listen: self.admin_listen,
            store,
            engine: self.engine.into(),
            policies,
            tokens: self.tokens,
            reload: self.reload,
            memory_limit: self.memory_limit.unwrap_or_else(memory_limit::of_this_process),
            key_secret: self.key_secret_file,
            log_format: self.log_format,
            deadline: Duration::from_millis(self.deadline_ms),
            keep_alive: Duration::from_secs(self.keep_alive_s),
            workers: self
                .workers
                .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use rl_store::redis::EngineChoice;

    use super::{Args, PolicySource, Settings};

    fn settings(args: &[&str], port: Option<&str>) -> Result<Settings, String> {
        let args = Args::try_parse_from([&["rl-server"], args].concat())
            .map_err(|error| error.to_string())?;
        args.settings(port.map(str::to_owned))
    }

    #[test]
    fn without_flags_the_defaults_apply() {
        let settings = settings(&[], None).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert!(settings.store.is_none());
        assert_eq!(settings.engine, EngineChoice::Auto);
        let PolicySource::Flags(limit) = settings.policies else { panic!("no file was given") };
        assert_eq!(limit.capacity().to_string(), "100");
        assert_eq!(limit.rate().to_string(), "100/m");
        assert!(settings.tokens.is_none() && settings.key_secret.is_none());
        assert!(settings.admin_listen.is_none());
        assert_eq!(settings.deadline.as_millis(), 50);
        assert!(settings.workers >= 1);
        assert!(settings.memory_limit >= 1_000_000);
        assert_eq!(settings.keep_alive.as_secs(), 620);
    }

    #[test]
    fn port_is_used_only_without_listen() {
        assert_eq!(settings(&[], Some("9000")).unwrap().listen.to_string(), "0.0.0.0:9000");
        let given = settings(&["--listen", "[::1]:7000"], Some("9000")).unwrap();
        assert_eq!(given.listen.to_string(), "[::1]:7000");
        assert_eq!(settings(&[], Some("http")).unwrap_err(), "PORT must be a port number");
    }

    #[test]
    fn limits_come_from_flags_or_from_a_file() {
        let both = settings(&["--config", "f", "--rate", "1"], None).unwrap_err();
        assert!(both.contains("cannot be used with --config"), "{both}");
        let file = settings(&["--config", "f"], None).unwrap();
        assert!(matches!(file.policies, PolicySource::File(_)));
    }

    #[test]
    fn errors_name_the_rule() {
        for (args, text) in [
            (["--capacity", "0"], "capacity must be above 0 and at most 1000000000"),
            (["--capacity", "1k"], "capacity must be 1 to 10 digits, optionally with decimals"),
            (["--rate", "100/x"], "rate must be 1 to 10 digits, optionally with decimals"),
            (["--deadline-ms", "0"], "0 is not in 1..=60000"),
            (["--deadline-ms", "60001"], "60001 is not in 1..=60000"),
            (["--keep-alive-s", "0"], "0 is not in 1..=86400"),
            (["--keep-alive-s", "86401"], "86401 is not in 1..=86400"),
            (["--workers", "0"], "0 is not in 1..=1024"),
            (["--memory-limit", "64KB"], "the memory limit must be a number of bytes, K, M"),
            (["--listen", "8080"], "the address must be HOST:PORT"),
            (["--engine", "lua"], "--engine needs a --store in Redis"),
            (["--store", "rediss:/h"], "--store must be memory, or redis://"),
        ] {
            let error = settings(&args, None).unwrap_err();
            assert!(error.contains(text), "{args:?}: {error}");
        }
    }
}
