//! A Redis server that a test owns.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use redis::{Connection, FromRedisValue, RedisResult, Value};
use tempfile::TempDir;

use crate::process::{Process, eventually};
use crate::{Clock, Flavour, Persistence, Setup, module_path};

/// A running `redis-server` (or the program that `RL_REDIS_SERVER` names), killed when dropped.
pub struct RedisServer {
    setup: Setup,
    folder: TempDir,
    port: u16,
    clock: Option<Clock>,
    process: Process,
}

// === impl RedisServer ===

impl RedisServer {
    pub(crate) fn new(
        setup: Setup,
        folder: TempDir,
        port: u16,
        clock: Option<Clock>,
        process: Process,
    ) -> Self {
        Self { setup, folder, port, clock, process }
    }

    /// The address it listens on: 127.0.0.1 unless [`Setup::with_host`] gave another.
    pub fn host(&self) -> Ipv4Addr {
        self.setup.host
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The server's address, as `rl-server --store` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.host(), self.port)
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The folder that it runs in, which is that of relative paths in its configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The clock of [`Setup::with_clock`].
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("a server started with a clock")
    }

    /// Stops the server's clock at `micros` microseconds since the epoch, and waits until the
    /// server has seen it.
    pub fn freeze(&self, micros: u64) {
        self.clock().freeze(micros);
        if Flavour::under_test().is_valkey {
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

    /// The expiry of a key, in milliseconds since the epoch; -1 if it has none, -2 if there is no
    /// such key. Before Redis 7.0 it is exact only with a frozen clock.
    #[track_caller]
    pub fn expires_at(&self, key: &str) -> i64 {
        expires_at(&mut self.connect(), key)
    }

    /// Opens a new connection.
    pub fn connect(&self) -> Connection {
        connect(self.host(), self.port).expect("a connection to redis-server")
    }

    /// Runs one command, with its arguments separated by spaces, on a new connection.
    #[track_caller]
    pub fn run<T: FromRedisValue>(&self, command: &str) -> T {
        self.try_run(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Like [`run`](Self::run), for commands that may fail.
    pub fn try_run<T: FromRedisValue>(&self, command: &str) -> RedisResult<T> {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        command.arg(words.collect::<Vec<_>>());
        command.query(&mut connect(self.host(), self.port)?)
    }

    /// The error that the server answers a command with: code and text, as on the wire.
    #[track_caller]
    pub fn refusal(&self, command: &str) -> String {
        let error = self.try_run::<Value>(command).expect_err(command);
        let code = error.code().unwrap_or_default();
        format!("{code} {}", error.detail().unwrap_or_default())
    }

    /// The value of one field of `INFO`.
    #[track_caller]
    pub fn info(&self, field: &str) -> String {
        let info: String = self.run("INFO everything");
        info.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
            .unwrap_or_else(|| panic!("INFO has no {field}"))
    }

    /// Makes this server a replica of `primary` and waits for the initial synchronization.
    pub fn follow(&self, primary: &Self) {
        self.follow_at(primary.port, primary);
    }

    /// Like [`follow`](Self::follow), for a primary that is reached at this port, through a proxy.
    pub fn follow_at(&self, port: u16, primary: &Self) {
        self.run::<()>(&format!("REPLICAOF {} {port}", primary.host()));
        eventually("the replica is in sync", Duration::from_secs(20), || {
            self.info("master_link_status") == "up"
        });
        self.catch_up(primary);
    }

    /// Waits until this replica has everything that `primary` has written so far.
    pub fn catch_up(&self, primary: &Self) {
        let offset = |server: &Self| -> u64 {
            server.info("master_repl_offset").parse().expect("an offset")
        };
        let written = offset(primary);
        eventually("the replica catches up", Duration::from_secs(20), || offset(self) >= written);
    }

    /// Shuts the server down as an operator would, and starts it again on the same data and port.
    pub fn restart(&mut self) {
        let save = match self.setup.persistence {
            Persistence::Rdb => "SAVE",
            _ => "NOSAVE",
        };
        // The connection closes with the server, so a reply never comes.
        let _ = self.try_run::<()>(&format!("SHUTDOWN {save}"));
        self.process.wait(Duration::from_secs(20));
        self.start_again();
    }

    /// Kills the server: nothing is saved and no peer is notified.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again, after [`kill`](Self::kill), on the same data and port.
    pub fn start_again(&mut self) {
        let (_, process) = self.setup.spawn(&self.folder, self.clock.as_ref(), Some(self.port));
        self.process = process;
    }

    /// Starts the server again without the module.
    pub fn start_again_plain(&mut self) {
        self.setup.module = None;
        self.start_again();
    }

    /// Starts the server again with the module.
    pub fn start_again_with_module(&mut self) {
        self.setup.module = Some(module_path());
        self.start_again();
    }

    /// Sends the server a signal, such as `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// The contents of the append-only file, or files, in order.
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
        files.into_iter().flat_map(|file| fs::read(file).expect("a readable file")).collect()
    }
}

impl Drop for RedisServer {
    /// Kills the server. With `RL_STOP_GENTLY` set it is terminated instead, since a leak checker
    /// reports only when its process exits by itself.
    fn drop(&mut self) {
        if env::var_os("RL_STOP_GENTLY").is_some() && !self.process.has_ended() {
            self.process.signal("CONT");
            self.process.signal("TERM");
            self.process.wait(Duration::from_secs(60));
        }
    }
}

pub(crate) fn connect(host: Ipv4Addr, port: u16) -> RedisResult<Connection> {
    redis::Client::open((host.to_string(), port))?
        .get_connection_with_timeout(Duration::from_secs(10))
}

/// [`RedisServer::expires_at`] on an existing connection.
#[track_caller]
pub fn expires_at(connection: &mut Connection, key: &str) -> i64 {
    if Flavour::under_test().version >= (7, 0) {
        return redis::cmd("PEXPIRETIME").arg(key).query(connection).expect("an expiry");
    }
    // The clock goes on between the commands of a transaction, and may reach the next millisecond.
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
