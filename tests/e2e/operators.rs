//! The admin listener, and the keys denied most.

use rl_tests::{Front, Scrape};
use serde_json::{Value, json};

use super::metrics::{PolicyFile, check};

#[test]
fn operators_can_have_a_listener_of_their_own() {
    let front =
        Front::start(&["--admin-listen", "127.0.0.1:0", "--capacity", "1", "--rate", "1/d"]);
    let admin = front.admin_address();
    assert_ne!(admin, front.address());
    for _ in 0..3 {
        front.check(r#"{"key":"k"}"#);
    }
    let get = |path| front.get_text(&admin, path);
    let (status, text) = get("/metrics");
    assert_eq!(status, 200);
    let scrape = Scrape::parse(&text);
    assert_eq!(scrape.value(r#"rl_decisions_total{outcome="denied",policy="default"}"#), 2.0);
    let (status, denied) = get("/admin/denied");
    assert_eq!((status, denied.contains(r#""key":"k""#)), (200, true), "{denied}");
    for (path, on_admin, on_main) in [
        ("/health/live", 200, 200),
        ("/health/ready", 200, 200),
        ("/metrics", 200, 404),
        ("/admin/denied", 200, 404),
        ("/check?key=k", 404, 429),
        ("/elsewhere", 404, 404),
    ] {
        assert_eq!((get(path).0, front.get(path).status), (on_admin, on_main), "{path}");
    }
}

#[test]
fn the_keys_denied_most_are_listed() {
    let file = PolicyFile::new();
    let front = file.front(&[]);
    assert_eq!(front.get("/admin/denied").body, json!({ "denied": [] }));
    for (key, policy, times) in [
        ("worst", "default", 9),
        ("b", "default", 4),
        ("watched", "watched", 4),
        ("fine", "open", 2),
    ] {
        check(&front, key, policy, 1, times);
    }
    front.post("/take", r#"{"key":"b"}"#);
    let offender = |key, policy, denied: u64| -> Value {
        json!({ "policy": policy, "key": key, "denied": denied, "error": 0 })
    };
    let top = [
        offender("worst", "default", 7),
        offender("b", "default", 3),
        offender("watched", "watched", 3),
    ];
    assert_eq!(front.get("/admin/denied").body, json!({ "denied": top }));
    assert_eq!(front.get("/admin/denied?top=1").body, json!({ "denied": top[..1] }));
    for query in ["top=0", "top=257", "top=x", "top=1&top=2", "x=1"] {
        assert_eq!(front.get(&format!("/admin/denied?{query}")).status, 422, "{query}");
    }
}
