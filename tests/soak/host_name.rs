//! A host name of the servers that only fronts know. It has two addresses, and the first can be
//! made silent.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use rl_tests::{may_have_own_files, server_path, with_file};
use tempfile::TempDir;

/// The host by which fronts find the servers: a name, or an address where processes may have no
/// files of their own.
pub(crate) struct HostName(Option<TempDir>);

/// An address that accepts connections and never answers, until it is dropped.
pub(crate) struct SilentAddress(#[expect(dead_code, reason = "held open")] Vec<TcpListener>);

const NAME: &str = "redis.test";
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

// === impl HostName ===

impl HostName {
    pub(crate) fn new() -> Self {
        if !may_have_own_files() {
            return Self(None);
        }
        let folder = TempDir::new().expect("a temporary folder");
        let addresses = format!("{FIRST} {NAME}\n{} {NAME}\n", Ipv4Addr::LOCALHOST);
        fs::write(folder.path().join("hosts"), addresses).expect("to write a file");
        Self(Some(folder))
    }

    /// Whether it is a name, which has an address that can be made silent.
    pub(crate) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// The host of the servers, as it is written in an address.
    pub(crate) fn as_str(&self) -> &'static str {
        if self.is_known() { NAME } else { "127.0.0.1" }
    }

    /// A front's program, which knows the name.
    pub(crate) fn front(&self) -> Command {
        let program = server_path();
        match &self.0 {
            Some(folder) => {
                let program = program.to_str().expect("a path in UTF-8");
                with_file(&folder.path().join("hosts"), "/etc/hosts", program)
            }
            None => Command::new(program),
        }
    }
}

// === impl SilentAddress ===

impl SilentAddress {
    /// Makes the first address of the name silent at these ports, where nothing listened before.
    pub(crate) fn at(ports: &[u16]) -> Self {
        let silent = |port: &u16| TcpListener::bind((FIRST, *port)).expect("a port that is ours");
        Self(ports.iter().map(silent).collect())
    }
}
