//! What clients get without an answer from a front.

use std::fs;
use std::time::Duration;

use rl_tests::{FaultProxy, Front, eventually};
use tempfile::TempDir;

use super::kind::Kind;
use super::requests::assert_forbidden;
use super::site::{Fails, Site, failing, forbidding};

/// Without a front every request is denied, or none.
pub(super) fn without_front(kind: &Kind, fails: Fails) {
    let front = Site::front("1");
    let port = Site::port(&front);
    let mut site = Site::over(kind, front, port, |text| forbidding(&failing(text, fails), kind));
    assert_eq!(site.send(2, "GET /", b"").status(), 200);
    assert_eq!(site.send(2, "GET /", b"").status(), 429);
    site.application.take();
    let expected = if fails == Fails::Open { 200 } else { kind.closed_status };

    site.front.signal("KILL");
    site.front.wait(Duration::from_secs(20));
    let body = [b'x'; 50_000];
    let answer = site.send(2, "POST /", &body);
    assert_eq!(answer.status(), expected, "{answer:?}");
    let passed = site.application.take();
    assert_eq!(passed.len(), usize::from(fails == Fails::Open));
    assert!(passed.iter().all(|request| request.body == body), "bodies arrive unchanged");
    // What the proxy itself forbids is not let through with the rest.
    assert_forbidden(&site.send(9, "GET /", b""));
    assert!(site.application.take().is_empty());
}

/// A front that hangs counts as none, after a second.
pub(super) fn with_stuck_front(kind: &Kind, fails: Fails) {
    let site = Site::start(kind, "1", fails);
    site.front.signal("STOP");
    let expected = if fails == Fails::Open { 200 } else { kind.closed_status };
    // Its threads stop one after the other: one may still answer.
    eventually("the front does not answer", Duration::from_secs(60), || {
        site.application.take();
        site.send(2, "POST /", b"a=b").status() == expected
    });
    assert_eq!(site.application.take().len(), usize::from(fails == Fails::Open));
    site.front.signal("CONT");
    eventually("the proxy asks again", Duration::from_secs(30), || {
        site.send(3, "GET /", b"").status() == 429
    });
}

/// A front that refuses to decide lets nothing through.
pub(super) fn with_unknown_policy(kind: &Kind) {
    let front = Site::front("1");
    let relay = FaultProxy::start(Site::port(&front));
    let mut site = Site::over(kind, front, relay.port(), |text| failing(text, Fails::Closed));
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    fs::write(&file, "[policies.other]\ncapacity = 1\nrate = \"1/d\"\n").expect("a policy file");
    let refusing = Front::start(&["--config", file.to_str().expect("a path")]);
    relay.set_upstream(Site::port(&refusing));
    site.front.signal("KILL");
    site.front.wait(Duration::from_secs(20));
    // The proxy may find only now that its connection is closed.
    eventually("the other front refuses", Duration::from_secs(30), || {
        site.send(2, "GET /", b"").status() == kind.refused_status
    });
    assert!(site.application.take().is_empty());
}
