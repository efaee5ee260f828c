//! A reverse proxy that a test owns.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, eventually, free_port};

/// A proxy program, and how to start it in a folder with its configuration.
#[derive(Debug)]
pub struct ProxyProgram {
    /// The program's name on `PATH`.
    pub name: &'static str,
    /// The environment variable that holds its path. If this is set, `PATH` is not searched.
    pub variable: Option<&'static str>,
    /// The program's arguments.
    pub arguments: &'static [&'static str],
}

/// A running proxy on a free port, killed when dropped.
pub struct Proxy {
    port: u16,
    process: Process,
    _folder: TempDir,
}

// === impl ProxyProgram ===

impl ProxyProgram {
    fn path(&self) -> Option<OsString> {
        match self.variable {
            Some(variable) => env::var_os(variable),
            None => Some(self.name.into()),
        }
    }

    /// Whether it is a program that scripts/test installs only sometimes, and is missing here.
    pub fn is_absent(&self) -> bool {
        self.path().is_none()
    }

    /// Starts the proxy on a free port and waits until it listens. `files` returns the names and
    /// contents of its configuration files for a port.
    pub fn start(&self, files: impl Fn(u16) -> Vec<(PathBuf, String)>) -> Proxy {
        let program = self.path().expect("a proxy to test with");
        for _ in 0..10 {
            let port = free_port();
            let folder = TempDir::new().expect("a temporary folder");
            for (name, text) in files(port) {
                fs::write(folder.path().join(name), text).expect("a configuration");
            }
            let mut command = Command::new(&program);
            command.args(self.arguments).current_dir(folder.path()).env("HOME", folder.path());
            let mut process = Process::start(&mut command, folder.path().join("log"))
                .unwrap_or_else(|error| panic!("{}: {error}: run scripts/test", self.name));
            let mut up = false;
            eventually("the proxy listens or ends", Duration::from_secs(30), || {
                up = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
                up || process.has_ended()
            });
            // If another process took the port first, ours has ended.
            if up && !process.has_ended() {
                return Proxy { port, process, _folder: folder };
            }
            let log = process.log();
            let taken = log.to_lowercase().contains("address already in use");
            assert!(taken, "{} did not start:\n{log}", self.name);
        }
        panic!("no free port in ten tries");
    }
}

// === impl Proxy ===

impl Proxy {
    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The proxy's process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}
