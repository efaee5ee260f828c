//! A front, a proxy that asks it, and an application.

use std::net::Ipv4Addr;
use std::time::Duration;

use rl_tests::{Application, Client, Connection, Front, Message, Proxy, eventually};

use super::kind::Kind;

pub(super) const PAGE: &str = include_str!("../../../docs/proxies.md");

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fails {
    Closed,
    Open,
}

/// A proxy, with the front and the application behind it.
pub(super) struct Site<F = Front> {
    pub(super) front: F,
    pub(super) application: Application,
    proxy: Proxy,
}

// === impl Site ===

impl Site {
    pub(super) fn start(kind: &Kind, capacity: &str, fails: Fails) -> Self {
        let front = Self::front(capacity);
        let port = Self::port(&front);
        Self::over(kind, front, port, |text| failing(text, fails))
    }

    /// A front whose buckets hold `capacity` tokens and gain none during the test.
    pub(super) fn front(capacity: &str) -> Front {
        Front::start(&["--capacity", capacity, "--rate", "1/d"])
    }

    pub(super) fn port(front: &Front) -> u16 {
        let (_, port) = front.address().split_once(':').expect("a port");
        port.parse().expect("a port")
    }
}

impl<F> Site<F> {
    /// Starts a proxy that asks the front at `front_port`. `edit` changes the page's files.
    pub(super) fn over(
        kind: &Kind,
        front: F,
        front_port: u16,
        edit: impl Fn(&str) -> String,
    ) -> Self {
        let application =
            Application::with_handler(|request| match request.start_line.split(' ').nth(1) {
                Some("/forbidden") => (403, "not for you".to_owned()),
                _ => (200, "hello".to_owned()),
            });
        let proxy = kind.program.start(|port| {
            let ports = [(8000, port), (8080, front_port), (3000, application.port())];
            let folder = format!("/etc/{}/", kind.program.name);
            let files = kind.files.iter().map(|name| {
                let text = with_ports(&edit(block(name)), &ports);
                ((*name).into(), text.replace(&folder, ""))
            });
            files.chain(kind.main_file.map(|(name, text)| (name.into(), text.to_owned()))).collect()
        });
        let site = Self { front, application, proxy };
        // Some proxies listen before they have their routes.
        eventually("the proxy serves", Duration::from_secs(30), || {
            site.send(250, "GET /", b"").status() == 200
        });
        site.application.take();
        site
    }

    /// Sends a request from 127.0.0.`client`.
    #[track_caller]
    pub(super) fn send(&self, client: u8, request: &str, body: &[u8]) -> Message {
        Client(Ipv4Addr::new(127, 0, 0, client)).request(self.proxy.port(), request, body)
    }

    /// Connects from 127.0.0.`client`.
    #[track_caller]
    pub(super) fn connect(&self, client: u8) -> Connection {
        Client(Ipv4Addr::new(127, 0, 0, client)).connect(self.proxy.port())
    }
}

/// The file of this name on the page.
fn block(name: &str) -> &'static str {
    let mut blocks = PAGE.split("\n```").skip(1).step_by(2);
    let block = blocks
        .find(|block| block.lines().nth(1).is_some_and(|line| line.ends_with(&format!("/{name}"))));
    let (_, text) = block.and_then(|block| block.split_once('\n')).expect("a file on the page");
    text
}

/// A file as it stands, or changed to fail open as the page says.
pub(super) fn failing(text: &str, fails: Fails) -> String {
    let lines = text.lines().filter_map(|line| match fails {
        Fails::Closed => Some(line.to_owned()),
        Fails::Open if line.ends_with("# fail closed") => None,
        Fails::Open => Some(line.replacen("# fail open: ", "", 1)),
    });
    lines.map(|line| line + "\n").collect()
}

/// A file changed so that the proxy itself forbids a client, if that is configured there.
pub(super) fn forbidding(text: &str, kind: &Kind) -> String {
    text.replacen(kind.forbids.0, kind.forbids.1, 1)
}

/// The text with its ports replaced.
fn with_ports(text: &str, ports: &[(u16, u16)]) -> String {
    let pieces = text.split_inclusive(|c: char| !c.is_ascii_digit());
    let replaced = pieces.map(|piece| {
        let number = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
        match ports.iter().find(|(from, _)| from.to_string() == number) {
            Some((_, to)) => piece.replace(number, &to.to_string()),
            None => piece.to_owned(),
        }
    });
    replaced.collect()
}
