//! The proxies that ask a front at a Unix socket, by the line of the page that says so.

use rl_tests::skip;

use super::ABSENT;
use super::kind::{CADDY, HAPROXY, Kind, NGINX};
use super::site::{Fails, PAGE, Site, failing};
use crate::unix_sockets::UnixFront;

/// A client empties its bucket, over the socket alone.
fn limits(kind: &Kind, over_tcp: &str, over_unix: &str) {
    assert!(PAGE.contains(&format!("`{over_unix}`")), "{over_unix} is on the page");
    let front = UnixFront::start(&["--capacity", "2", "--rate", "1/d"]);
    let line = over_unix.replace("/run/rl/rl.sock", front.path());
    // Nothing listens on the port in place of 8080.
    let site = Site::over(kind, front, 1, |text| {
        let text = failing(text, Fails::Closed);
        text.replacen(over_tcp, &line, 1)
    });
    for status in [200, 200, 429, 429] {
        assert_eq!(site.send(2, "GET /", b"").status(), status);
    }
    assert_eq!(site.send(3, "GET /", b"").status(), 200);
    assert_eq!(site.application.take().len(), 3);
    let denied = "rl_decisions_total{outcome=\"denied\",policy=\"default\"} 2";
    assert!(site.front.text("/metrics").contains(denied));
}

#[test]
fn nginx() {
    if NGINX.program.is_absent() {
        skip!("{ABSENT}");
    }
    limits(&NGINX, "server 127.0.0.1:8080;", "server unix:/run/rl/rl.sock;");
}

#[test]
fn caddy() {
    if CADDY.program.is_absent() {
        skip!("{ABSENT}");
    }
    limits(&CADDY, "reverse_proxy 127.0.0.1:8080 {", "reverse_proxy unix//run/rl/rl.sock {");
}

#[test]
fn haproxy() {
    if HAPROXY.program.is_absent() {
        skip!("{ABSENT}");
    }
    limits(
        &HAPROXY,
        "core.httpclient():get{",
        "core.httpclient():get{ dst = \"unix@/run/rl/rl.sock\",",
    );
}
