//! A Redis server of one's own.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use redis::{Connection, FromRedisValue, RedisResult, Value};
use tempfile::TempDir;

use crate::process::{Process, eventually, free_port};
use crate::{Clock, Flavour, artefacts, module_path, panicking_module_path};

/// What a server keeps on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    Off,
    /// A snapshot, when it is told to or stops.
    Rdb,
    /// An append-only file, written through on every command, that begins as a snapshot when rewritten.
    Aof,
    /// The same, in commands only.
    AofWithoutPreamble,
}

/// How to start a server.
pub struct Setup {
    module: Option<PathBuf>,
    clock: bool,
    persistence: Persistence,
    port: Option<u16>,
    options: Vec<String>,
    under: Vec<String>,
    host: Ipv4Addr,
}

/// A running `redis-server` (or what `RL_REDIS_SERVER` names), killed when dropped.
pub struct RedisServer {
    setup: Setup,
    folder: TempDir,
    port: u16,
    clock: Option<Clock>,
    process: Process,
}

// === impl Setup ===

impl Setup {
    /// A plain server: no module, nothing on disk.
    pub fn plain() -> Self {
        Self {
            module: None,
            clock: false,
            persistence: Persistence::Off,
            port: None,
            options: Vec::new(),
            under: Vec::new(),
            host: Ipv4Addr::LOCALHOST,
        }
    }

    /// A server with the module loaded.
    pub fn with_module() -> Self {
        Self { module: Some(module_path()), ..Self::plain() }
    }

    /// A server with the module that has `RL.PANIC`.
    pub fn with_panicking_module() -> Self {
        Self { module: Some(panicking_module_path()), ..Self::plain() }
    }

    /// A server with somebody else's module loaded.
    pub fn with_other_module(file: &Path) -> Self {
        Self { module: Some(file.to_owned()), ..Self::plain() }
    }

    /// Gives it a clock that the test moves.
    pub fn with_clock(self) -> Self {
        Self { clock: true, ..self }
    }

    /// Has it keep its data.
    pub fn keeping(self, persistence: Persistence) -> Self {
        Self { persistence, ..self }
    }

    /// Has it listen on this port, for whoever must know before it is there.
    pub fn at(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Adds a configuration directive, such as `["maxmemory", "10mb"]`.
    pub fn option(mut self, words: &[&str]) -> Self {
        self.options.extend(words.iter().enumerate().map(|(i, word)| match i {
            0 => format!("--{word}"),
            _ => (*word).to_owned(),
        }));
        self
    }

    /// Runs it under another program, such as `["valgrind", "--tool=callgrind"]`.
    pub fn under(self, words: &[&str]) -> Self {
        Self { under: words.iter().map(|word| (*word).to_owned()).collect(), ..self }
    }

    /// Has it listen on this address in place of 127.0.0.1.
    pub fn on(self, host: Ipv4Addr) -> Self {
        Self { host, ..self }
    }

    /// Starts it.
    pub fn start(self) -> RedisServer {
        let folder = TempDir::new().expect("a temporary folder");
        let clock = self.clock.then(|| Clock::new(folder.path()));
        let (port, process) = self.spawn(&folder, clock.as_ref(), self.port);
        RedisServer { setup: self, folder, port, clock, process }
    }

    /// Starts it, unless this server was built without something that an option is about.
    pub fn try_start(self) -> Option<RedisServer> {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut command = self.command(&folder, None, free_port());
        let mut process = Process::start(&mut command, log).expect("redis-server to start");
        let mut ready = false;
        eventually("redis-server starts or ends", Duration::from_secs(20), || {
            ready = process.log().contains("Ready to accept connections");
            ready || process.has_ended()
        });
        let log = process.log();
        drop(process);
        let lacks = ["Bad directive or wrong number of arguments", "Missing implement of"];
        (!lacks.iter().any(|lack| log.contains(lack))).then(|| self.start())
    }

    /// Starts the process and waits until it has loaded its data and answers. Without a given port it
    /// takes a free one, and another should somebody be faster.
    fn spawn(&self, folder: &TempDir, clock: Option<&Clock>, port: Option<u16>) -> (u16, Process) {
        for _ in 0..10 {
            let port = port.unwrap_or_else(free_port);
            let mut command = self.command(folder, clock, port);
            let log = folder.path().join("log");
            let mut process = Process::start(&mut command, log).expect("redis-server to start");
            let mut up = false;
            eventually("redis-server starts or ends", Duration::from_secs(20), || {
                up = connect(self.host, port)
                    .is_ok_and(|mut c| redis::cmd("PING").exec(&mut c).is_ok());
                up || process.has_ended()
            });
            // Another server may have taken the port first: then ours has ended.
            if up && !process.has_ended() {
                return (port, process);
            }
            let log = process.log();
            assert!(log.contains("Address already in use"), "redis-server did not start:\n{log}");
        }
        panic!("no free port in ten tries");
    }

    fn command(&self, folder: &TempDir, clock: Option<&Clock>, port: u16) -> Command {
        let mut command = match self.under.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(Flavour::program());
                command
            }
            None => Command::new(Flavour::program()),
        };
        command.current_dir(folder.path());
        let (port, host) = (port.to_string(), self.host.to_string());
        command.args(["--port", &port, "--bind", &host, "--save", ""]);
        if !self.host.is_loopback() {
            command.args(["--protected-mode", "no"]);
        }
        command.args(["--repl-diskless-sync-delay", "0"]);
        if Flavour::under_test().version >= (7, 0) {
            command.args(["--enable-debug-command", "yes"]); // before that it always was
        }
        match self.persistence {
            Persistence::Off | Persistence::Rdb => {}
            Persistence::Aof => {
                command.args(["--appendonly", "yes", "--appendfsync", "always"]);
            }
            Persistence::AofWithoutPreamble => {
                command.args(["--appendonly", "yes", "--appendfsync", "always"]);
                command.args(["--aof-use-rdb-preamble", "no"]);
            }
        }
        if let Some(module) = &self.module {
            command.arg("--loadmodule").arg(module);
        }
        if let Some(clock) = clock {
            // Valkey reads the wall clock only at each tick of its own, and counts on in between.
            command.args(["--hz", "500"]);
            command.env("SKEW_FILE", clock.file()).env("LD_PRELOAD", artefacts::skew_path());
        }
        command.args(&self.options);
        command
    }
}

// === impl RedisServer ===

impl RedisServer {
    /// The address it listens on, 127.0.0.1 if no other was asked for.
    pub fn host(&self) -> Ipv4Addr {
        self.setup.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its address, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.host(), self.port)
    }

    /// The clock of [`Setup::with_clock`].
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("a server started with a clock")
    }

    /// Stops its clock at this many microseconds since the epoch, and waits until it knows.
    pub fn freeze(&self, micros: u64) {
        self.clock().freeze(micros);
        if Flavour::under_test().valkey {
            let mut connection = self.connect();
            let mut probe = redis::pipe();
            probe.cmd("SET").arg("clock").arg("").arg("PX").arg(1_000_000).ignore();
            probe.cmd("PEXPIRETIME").arg("clock").cmd("DEL").arg("clock").ignore();
            let expected = i64::try_from(micros / 1000).expect("a moment") + 1_000_000;
            eventually("the server sees its clock", Duration::from_secs(20), || {
                let [expires]: [i64; 1] = probe.query(&mut connection).expect("an expiry");
                (expected..expected + 2).contains(&expires)
            });
        }
    }

    /// When a key expires: milliseconds since the epoch; -1 if it does not, -2 if it is not there. Exact
    /// only with a frozen clock on servers before 7.0.
    #[track_caller]
    pub fn expires_at(&self, key: &str) -> i64 {
        expires_at(&mut self.connect(), key)
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        connect(self.host(), self.port).expect("a connection to redis-server")
    }

    /// Runs one command, its words parted by spaces, on a connection of its own.
    #[track_caller]
    pub fn run<T: FromRedisValue>(&self, words: &str) -> T {
        self.try_run(words).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// The same, for commands that may be refused.
    pub fn try_run<T: FromRedisValue>(&self, words: &str) -> RedisResult<T> {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        command.arg(words.collect::<Vec<_>>());
        command.query(&mut connect(self.host(), self.port)?)
    }

    /// What it refuses `words` with, code and text as they are on the wire.
    #[track_caller]
    pub fn refusal(&self, words: &str) -> String {
        let error = self.try_run::<Value>(words).expect_err(words);
        let code = error.code().unwrap_or_default();
        format!("{code} {}", error.detail().unwrap_or_default())
    }

    /// One field of `INFO`.
    #[track_caller]
    pub fn info(&self, field: &str) -> String {
        let info: String = self.run("INFO everything");
        info.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
            .unwrap_or_else(|| panic!("INFO has no {field}"))
    }

    /// Makes it a replica of `primary` and waits until the first copy is in.
    pub fn follow(&self, primary: &Self) {
        self.follow_at(primary.port, primary);
    }

    /// The same of a primary that it reaches at another port, through a proxy.
    pub fn follow_at(&self, port: u16, primary: &Self) {
        self.run::<()>(&format!("REPLICAOF {} {port}", primary.host()));
        eventually("the replica is in sync", Duration::from_secs(20), || {
            self.info("master_link_status") == "up"
        });
        self.catch_up(primary);
    }

    /// Waits until this replica has all that `primary` has written so far.
    pub fn catch_up(&self, primary: &Self) {
        let offset = |server: &Self| -> u64 {
            server.info("master_repl_offset").parse().expect("an offset")
        };
        let written = offset(primary);
        eventually("the replica catches up", Duration::from_secs(20), || offset(self) >= written);
    }

    /// Stops it as an operator would, and starts it again on the same data and port.
    pub fn restart(&mut self) {
        let save = match self.setup.persistence {
            Persistence::Rdb => "SAVE",
            _ => "NOSAVE",
        };
        // The connection ends with the server: no answer is the answer.
        let _ = self.try_run::<()>(&format!("SHUTDOWN {save}"));
        self.process.wait(Duration::from_secs(20));
        self.start_again();
    }

    /// Kills it: nothing is saved and nobody is told.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, after [`kill`](Self::kill), on the same data and port.
    pub fn start_again(&mut self) {
        let (_, process) = self.setup.spawn(&self.folder, self.clock.as_ref(), Some(self.port));
        self.process = process;
    }

    /// Starts it again without the module.
    pub fn start_again_plain(&mut self) {
        self.setup.module = None;
        self.start_again();
    }

    /// Starts it again with the module.
    pub fn start_again_with_module(&mut self) {
        self.setup.module = Some(module_path());
        self.start_again();
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// All that is in its append-only file, or files, in order.
    pub fn append_only_file(&self) -> Vec<u8> {
        let mut files = Vec::new();
        for folder in [self.folder.path().to_owned(), self.folder.path().join("appendonlydir")] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with("appendonly.aof") && !name.ends_with(".manifest") {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        files.into_iter().flat_map(|file| fs::read(file).expect("its file")).collect()
    }
}

impl Drop for RedisServer {
    /// Killed, unless `RL_STOP_GENTLY` is set: a leak checker has its say only when its process ends by
    /// itself.
    fn drop(&mut self) {
        if env::var_os("RL_STOP_GENTLY").is_some() && !self.process.has_ended() {
            self.process.signal("CONT");
            self.process.signal("TERM");
            self.process.wait(Duration::from_secs(60));
        }
    }
}

fn connect(host: Ipv4Addr, port: u16) -> RedisResult<Connection> {
    redis::Client::open((host.to_string(), port))?
        .get_connection_with_timeout(Duration::from_secs(10))
}

/// [`RedisServer::expires_at`] on a connection of one's own.
#[track_caller]
pub fn expires_at(connection: &mut Connection, key: &str) -> i64 {
    if Flavour::under_test().version >= (7, 0) {
        return redis::cmd("PEXPIRETIME").arg(key).query(connection).expect("an expiry");
    }
    // The clock runs on between the commands of a transaction, at times into the next millisecond.
    let millis = |(seconds, micros): (i64, i64)| seconds * 1000 + micros / 1000;
    loop {
        let (before, ttl, after): ((i64, i64), i64, (i64, i64)) = redis::pipe()
            .atomic()
            .cmd("TIME")
            .cmd("PTTL")
            .arg(key)
            .cmd("TIME")
            .query(connection)
            .expect("an expiry");
        if ttl < 0 {
            return ttl;
        }
        if millis(before) == millis(after) {
            return millis(before) + ttl;
        }
    }
}
