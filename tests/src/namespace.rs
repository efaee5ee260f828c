//! Network namespaces, for what no signal and no proxy does: hosts that cannot reach each other.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{panic, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace with a loopback interface and one link to another; removed when dropped.
pub struct Namespace {
    name: String,
    host: Ipv4Addr,
    file: File,
}

/// The name of the link's interface, on both sides.
const LINK: &str = "link0";

// === impl Namespace ===

impl Namespace {
    /// Creates two linked namespaces; `None` where that is impossible or not permitted.
    pub fn pair() -> Option<[Arc<Self>; 2]> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("rl-{}-{number}-{side}", process::id());
        let one = Self::new(name("a"), Ipv4Addr::new(10, 0, 0, 1))?;
        let two = Self::new(name("b"), Ipv4Addr::new(10, 0, 0, 2))?;
        let link = ["link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", &two.name];
        if !one.ip(&link) {
            return None;
        }
        for namespace in [&one, &two] {
            let address = format!("{}/30", namespace.host);
            let done = namespace.ip(&["address", "add", &address, "dev", LINK])
                && namespace.ip(&["link", "set", "lo", "up"]);
            assert!(done, "an address in {}", namespace.name);
            namespace.link_up();
        }
        Some([Arc::new(one), Arc::new(two)])
    }

    fn new(name: String, host: Ipv4Addr) -> Option<Self> {
        let added = Command::new("ip").args(["netns", "add", &name]).output();
        if !added.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let file = File::open(format!("/run/netns/{name}")).expect("the namespace");
        Some(Self { name, host, file })
    }

    fn ip(&self, arguments: &[&str]) -> bool {
        let output = Command::new("ip").args(["-netns", &self.name]).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// The namespace's address, which the other namespace reaches over the link.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// Takes this end of the link down.
    pub fn link_down(&self) {
        assert!(self.ip(&["link", "set", LINK, "down"]), "the link of {}", self.name);
    }

    /// Brings this end of the link up.
    pub fn link_up(&self) {
        assert!(self.ip(&["link", "set", LINK, "up"]), "the link of {}", self.name);
    }

    /// Moves the calling thread into the namespace. The processes and threads that it starts
    /// inherit it.
    pub(crate) fn enter(&self) {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("to enter the namespace");
    }

    /// Runs a function inside the namespace and returns its result.
    pub fn within<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let enter_and_run = || {
            self.enter();
            run()
        };
        let result = thread::scope(|scope| scope.spawn(enter_and_run).join());
        result.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}
