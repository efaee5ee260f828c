//! A Redis server of one's own.

use std::fs;
use std::process::Command;
use std::time::Duration;

use redis::{Connection, FromRedisValue, RedisResult, Value};
use tempfile::TempDir;

use crate::process::{Process, eventually, free_port};
use crate::{Clock, Flavour, artefacts, module_path};

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
    module: bool,
    clock: bool,
    persistence: Persistence,
    options: Vec<String>,
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
        Self { module: false, clock: false, persistence: Persistence::Off, options: Vec::new() }
    }

    /// A server with the module loaded.
    pub fn with_module() -> Self {
        Self { module: true, ..Self::plain() }
    }

    /// Gives it a clock that the test moves.
    pub fn with_clock(self) -> Self {
        Self { clock: true, ..self }
    }

    /// Has it keep its data.
    pub fn keeping(self, persistence: Persistence) -> Self {
        Self { persistence, ..self }
    }

    /// Adds a configuration directive, such as `["maxmemory", "10mb"]`.
    pub fn option(mut self, words: &[&str]) -> Self {
        self.options.extend(words.iter().enumerate().map(|(i, word)| match i {
            0 => format!("--{word}"),
            _ => (*word).to_owned(),
        }));
        self
    }

    /// Starts it.
    pub fn start(self) -> RedisServer {
        let folder = TempDir::new().expect("a temporary folder");
        let clock = self.clock.then(|| Clock::new(folder.path()));
        let (port, process) = self.spawn(&folder, clock.as_ref(), None);
        RedisServer { setup: self, folder, port, clock, process }
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
                up = connect(port).is_ok_and(|mut c| redis::cmd("PING").exec(&mut c).is_ok());
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
        let mut command = Command::new(Flavour::program());
        command.current_dir(folder.path());
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
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
        if self.module {
            command.arg("--loadmodule").arg(module_path());
        }
        if let Some(clock) = clock {
            command.env("SKEW_FILE", clock.file()).env("LD_PRELOAD", artefacts::skew_path());
        }
        command.args(&self.options);
        command
    }
}

// === impl RedisServer ===

impl RedisServer {
    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The clock of [`Setup::with_clock`].
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("a server started with a clock")
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        connect(self.port).expect("a connection to redis-server")
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
        command.query(&mut self.connect())
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
        self.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
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
        self.setup.module = false;
        self.start_again();
    }

    /// Starts it again with the module.
    pub fn start_again_with_module(&mut self) {
        self.setup.module = true;
        self.start_again();
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// A file that it wrote into its folder.
    pub fn read_file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn connect(port: u16) -> RedisResult<Connection> {
    redis::Client::open(("127.0.0.1", port))?.get_connection_with_timeout(Duration::from_secs(10))
}
