//! A reverse proxy of one's own.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, eventually, free_port};

/// Which proxy, and how it is started in a folder with its configuration.
#[derive(Debug)]
pub struct ProxyProgram {
    /// Its name on the path.
    pub name: &'static str,
    /// The environment variable that says where it is; if there is one, the path is not searched.
    pub variable: Option<&'static str>,
    /// Its arguments.
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

    /// Whether it is one of those that scripts/test does not always install, and is not here.
    pub fn is_absent(&self) -> bool {
        self.path().is_none()
    }

    /// Starts it with the files that `files` writes for a port, by name, and waits until it listens.
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
            // Another may have taken the port first: then ours has ended.
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
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}
