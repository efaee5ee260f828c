//! Networks of one's own, for what no signal and no proxy does: addresses that cannot reach each other.

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

/// The name of the link's end, on either side.
const LINK: &str = "link0";

// === impl Namespace ===

impl Namespace {
    /// Two that are linked; nothing where that is not possible or not permitted, which it says.
    pub fn pair() -> Option<[Arc<Self>; 2]> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let at = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("rl-{}-{at}-{side}", process::id());
        let one = Self::new(name("a"), Ipv4Addr::new(10, 0, 0, 1))?;
        let two = Self::new(name("b"), Ipv4Addr::new(10, 0, 0, 2))?;
        let link = ["link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", &two.name];
        if !one.ip(&link) {
            eprintln!("skipped: no veth links here");
            return None;
        }
        for side in [&one, &two] {
            let address = format!("{}/30", side.host);
            let done = side.ip(&["address", "add", &address, "dev", LINK])
                && side.ip(&["link", "set", "lo", "up"]);
            assert!(done, "an address in {}", side.name);
            side.link_up();
        }
        Some([Arc::new(one), Arc::new(two)])
    }

    fn new(name: String, host: Ipv4Addr) -> Option<Self> {
        let added = Command::new("ip").args(["netns", "add", &name]).output();
        if !added.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no network namespaces here, see ip-netns(8)");
            return None;
        }
        let file = File::open(format!("/run/netns/{name}")).expect("the namespace");
        Some(Self { name, host, file })
    }

    fn ip(&self, arguments: &[&str]) -> bool {
        let output = Command::new("ip").args(["-netns", &self.name]).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Its address, which the other one reaches over the link.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// Takes its end of the link down.
    pub fn link_down(&self) {
        assert!(self.ip(&["link", "set", LINK, "down"]), "the link of {}", self.name);
    }

    /// And up.
    pub fn link_up(&self) {
        assert!(self.ip(&["link", "set", LINK, "up"]), "the link of {}", self.name);
    }

    /// Moves the calling thread into it; the processes and threads that it starts are in it too.
    pub(crate) fn enter(&self) {
        move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("to enter the namespace");
    }

    /// What `run` returns, in it.
    pub fn within<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let in_it = || {
            self.enter();
            run()
        };
        let result = thread::scope(|scope| scope.spawn(in_it).join());
        result.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}
