//! The settings that a Redis server is started with.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, eventually, free_port};
use crate::redis_server::connect;
use crate::{Clock, Flavour, RedisServer, artefacts, module_path, panicking_module_path};

/// The data that a server keeps on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    Off,
    /// A snapshot, written on command and at shutdown.
    Rdb,
    /// An append-only file, synced on every command. A rewrite starts it with a snapshot.
    Aof,
    /// An append-only file of commands only.
    AofWithoutPreamble,
}

/// A builder for a server.
pub struct Setup {
    pub(crate) module: Option<PathBuf>,
    clock: bool,
    pub(crate) persistence: Persistence,
    port: Option<u16>,
    options: Vec<String>,
    wrapper: Vec<String>,
    pub(crate) host: Ipv4Addr,
}

// === impl Setup ===

impl Setup {
    /// A plain server, without the module and without persistence.
    pub fn plain() -> Self {
        Self {
            module: None,
            clock: false,
            persistence: Persistence::Off,
            port: None,
            options: Vec::new(),
            wrapper: Vec::new(),
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

    /// A server with another module loaded.
    pub fn with_other_module(file: &Path) -> Self {
        Self { module: Some(file.to_owned()), ..Self::plain() }
    }

    /// Gives the server a clock that the test controls.
    pub fn with_clock(self) -> Self {
        Self { clock: true, ..self }
    }

    /// Makes the server keep its data.
    pub fn with_persistence(self, persistence: Persistence) -> Self {
        Self { persistence, ..self }
    }

    /// Makes the server listen on this port, for callers that must know it before the start.
    pub fn with_port(self, port: u16) -> Self {
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

    /// Runs the server under another program, such as `["valgrind", "--tool=callgrind"]`.
    pub fn with_wrapper(self, command: &[&str]) -> Self {
        Self { wrapper: command.iter().map(|word| (*word).to_owned()).collect(), ..self }
    }

    /// Makes the server listen on this address instead of 127.0.0.1.
    pub fn with_host(self, host: Ipv4Addr) -> Self {
        Self { host, ..self }
    }

    /// Starts the server.
    pub fn start(self) -> RedisServer {
        let folder = TempDir::new().expect("a temporary folder");
        let clock = self.clock.then(|| Clock::new(folder.path()));
        let (port, process) = self.spawn(&folder, clock.as_ref(), self.port);
        RedisServer::new(self, folder, port, clock, process)
    }

    /// Starts the server; `None` if it was built without the feature that an option needs.
    pub fn try_start(self) -> Option<RedisServer> {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let mut command = self.command(&folder, None, free_port());
        let mut process = Process::start(&mut command, log).expect("redis-server to start");
        let mut is_ready = false;
        eventually("redis-server starts or exits", Duration::from_secs(20), || {
            is_ready = process.log().contains("Ready to accept connections");
            is_ready || process.has_ended()
        });
        let log = process.log();
        drop(process);
        let errors = ["Bad directive or wrong number of arguments", "Missing implement of"];
        (!errors.iter().any(|error| log.contains(error))).then(|| self.start())
    }

    /// Starts the process and waits until it has loaded its data and answers. Without a given port
    /// it takes a free one, and tries the next if another process takes that first.
    pub(crate) fn spawn(
        &self,
        folder: &TempDir,
        clock: Option<&Clock>,
        port: Option<u16>,
    ) -> (u16, Process) {
        for _ in 0..10 {
            let port = port.unwrap_or_else(free_port);
            let mut command = self.command(folder, clock, port);
            let log = folder.path().join("log");
            let mut process = Process::start(&mut command, log).expect("redis-server to start");
            let mut is_up = false;
            eventually("redis-server starts or exits", Duration::from_secs(20), || {
                is_up = connect(self.host, port)
                    .is_ok_and(|mut c| redis::cmd("PING").exec(&mut c).is_ok());
                is_up || process.has_ended()
            });
            // If another server took the port first, ours has ended.
            if is_up && !process.has_ended() {
                return (port, process);
            }
            let log = process.log();
            assert!(log.contains("Address already in use"), "redis-server did not start:\n{log}");
        }
        panic!("no free port in ten tries");
    }

    fn command(&self, folder: &TempDir, clock: Option<&Clock>, port: u16) -> Command {
        let mut command = match self.wrapper.split_first() {
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
            command.args(["--enable-debug-command", "yes"]); // older versions always enable it
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
            // Valkey reads the wall clock only at each of its ticks, and extrapolates in between.
            command.args(["--hz", "500"]);
            command.env("SKEW_FILE", clock.file()).env("LD_PRELOAD", artefacts::skew_path());
        }
        command.args(&self.options);
        command
    }
}
