//! The server that the tests run on: `redis-server`, or the program that `RL_REDIS_SERVER` names.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::sync::OnceLock;

/// A server's make, Redis or Valkey, and its version.
#[derive(Debug)]
pub struct Flavour {
    /// Whether it is Valkey rather than Redis.
    pub is_valkey: bool,
    /// Major and minor version.
    pub version: (u32, u32),
}

// === impl Flavour ===

impl Flavour {
    /// The flavour of the server under test, from its `--version`: `Redis server v=7.0.15 sha=...`.
    pub fn under_test() -> &'static Self {
        static FLAVOUR: OnceLock<Flavour> = OnceLock::new();
        FLAVOUR.get_or_init(|| {
            let output = Command::new(Self::program()).arg("--version").output();
            let output = String::from_utf8(output.expect("a server to test on").stdout);
            let output = output.expect("a version in ASCII");
            let version = output.split_once("v=").map_or("", |(_, version)| version);
            let mut numbers = version.split('.').map_while(|number| number.parse().ok());
            let version = numbers.next().zip(numbers.next()).expect("a version");
            Self { is_valkey: output.starts_with("Valkey"), version }
        })
    }

    /// The display name, such as `Redis 7.0`.
    pub fn name() -> String {
        let Self { is_valkey, version: (major, minor) } = Self::under_test();
        format!("{} {major}.{minor}", if *is_valkey { "Valkey" } else { "Redis" })
    }

    pub(crate) fn program() -> OsString {
        env::var_os("RL_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
    }
}
