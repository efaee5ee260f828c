//! Bearer tokens: the requests and keys that each permits.

use std::fs;
use std::io::Write;
use std::time::Duration;

use rl_tests::{Front, Scrape, eventually};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::connections::Connection;

const SOON: Duration = Duration::from_secs(20);

fn entry(token: &str, rest: &str) -> String {
    let hash: String =
        Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[tokens]]\nname = \"a test\"\nsha256 = \"{hash}\"\n{rest}\n")
}

fn status(front: &Front, token: &str, path: &str, body: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    front.request("POST", path, &[("Authorization", &bearer)], body).status
}

#[test]
fn a_token_permits_only_its_role_and_prefix() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("tokens.toml");
    let tokens = entry("t3nant-token", "role = \"check\"\nprefix = \"a:\"")
        + &entry("0ps-token", "role = \"admin\"");
    fs::write(&file, &tokens).expect("to write the tokens");
    let front = Front::start(&["--tokens", file.to_str().expect("a path in UTF-8")]);

    let (own, other) = (r#"{"key":"a:1"}"#, r#"{"key":"b:1"}"#);
    let inline = r#"{"key":"a:1","capacity":1,"rate":1}"#;
    let none = front.post("/check", own);
    assert_eq!((none.status, none.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(none.content_type, "application/problem+json");
    for (token, path, body, expected) in [
        ("wr0ng-token", "/check", own, 401),
        ("", "/check", own, 401),
        ("t3nant-token", "/check", own, 200),
        ("t3nant-token", "/check", other, 403),
        ("t3nant-token", "/check", inline, 403),
        ("t3nant-token", "/refund", own, 403),
        ("t3nant-token", "/reset", own, 403),
        ("0ps-token", "/check", inline, 200),
        ("0ps-token", "/refund", other, 200),
        ("0ps-token", "/reset", own, 200),
        // Without the right, an answer says nothing of the policy or the body.
        ("wr0ng-token", "/check", r#"{"key":"a:1","policy":"x"}"#, 401),
        ("wr0ng-token", "/check", "{", 401),
        ("t3nant-token", "/reset", "{", 403),
    ] {
        assert_eq!(status(&front, token, path, body), expected, "{token} {path} {body}");
    }
    // Of several Authorization headers none counts, and no encoded form of a path is served.
    for (first, second) in [("0ps-token", "t3nant-token"), ("t3nant-token", "0ps-token")] {
        let [first, second] = [first, second].map(|token| format!("Bearer {token}"));
        let both = [("Authorization", first.as_str()), ("Authorization", second.as_str())];
        assert_eq!(front.request("GET", "/admin/denied", &both, "").status, 401);
        assert_eq!(front.request("POST", "/check", &both, own).status, 401);
    }
    for path in ["/%61dmin/denied", "/%6detrics", "/metric%73", "/%63heck?key=a"] {
        let ops = [("Authorization", "Bearer 0ps-token")];
        assert_eq!(front.request("GET", path, &ops, "").status, 404, "{path}");
    }
    // Paths for probes and metrics are open, and contain no key.
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(front.get(path).status, 200, "{path}");
    }
    assert_eq!(front.get("/admin/denied").status, 401);

    // No refused request took a token: b:1 is full.
    let bearer = [("Authorization", "Bearer 0ps-token")];
    let peek = front.request("POST", "/peek", &bearer, other).body;
    assert_eq!(peek["remaining"], json!(100), "{peek}");

    // Rotation: the new token opens, the old one no longer does, without a restart.
    fs::write(&file, entry("n3w-token", "role = \"check\"")).expect("to write the tokens");
    eventually("the new token works", SOON, || status(&front, "n3w-token", "/check", own) == 200);
    assert_eq!(status(&front, "0ps-token", "/check", own), 401);
    fs::write(&file, "[[tokens]]\nname = \"x\"\nsha256 = \"abc\"\nrole = \"check\"\n")
        .expect("to write the tokens");
    eventually("an invalid file is refused", SOON, || front.log().contains("tokens refused"));
    assert_eq!(status(&front, "n3w-token", "/check", own), 200, "the old file stays in force");

    let log = front.log();
    assert!(!log.contains("-token") && !log.contains("a:1") && !log.contains("abc"), "{log}");
}

#[test]
fn a_token_withdrawn_before_the_body_has_come_permits_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("tokens.toml");
    fs::write(&file, entry("t0ken", "role = \"admin\"")).expect("to write the tokens");
    let front = Front::start(&["--tokens", file.to_str().expect("a path in UTF-8")]);
    let (one, batch) = (r#"{"key":"k"}"#, r#"{"checks":[{"key":"k"}]}"#);
    let paths = ["/check", "/check/batch", "/peek", "/take", "/refund", "/charge", "/reset"];
    let mut waiting = paths.map(|path| {
        let body = if path == "/check/batch" { batch } else { one };
        let mut connection = Connection::open(front.address());
        connection.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        // The token has been looked at once that is here.
        assert!(connection.head().starts_with("http/1.1 100"), "{path}");
        (path, body, connection)
    });
    fs::write(&file, entry("other", "role = \"admin\"")).expect("to write the tokens");
    front.signal("HUP");
    eventually("the token is withdrawn", SOON, || status(&front, "t0ken", "/peek", one) == 401);
    for (path, body, connection) in &mut waiting {
        // On a very busy machine the front may have given up waiting.
        let _ = connection.0.write_all(body.as_bytes());
        let head = connection.response();
        assert!(
            head.starts_with("http/1.1 401") || head.starts_with("http/1.1 408"),
            "{path}: {head}"
        );
    }
}

#[test]
fn an_emptied_token_file_is_refused_and_the_old_stays() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("tokens.toml");
    fs::write(&file, entry("t0ken", "role = \"check\"")).expect("to write the tokens");
    let front = Front::start(&["--tokens", file.to_str().expect("a path in UTF-8")]);
    let is_good = || {
        let series = "rl_config_last_reload_successful{file=\"tokens\"}";
        Scrape::parse(&front.text("/metrics")).value(series) > 0.0
    };
    let check = || status(&front, "t0ken", "/check", r#"{"key":"k"}"#);
    for emptied in ["", "# none\n", &entry("", "role = \"admin\"")] {
        fs::write(&file, emptied).expect("to write the tokens");
        eventually("the file is refused", SOON, || !is_good());
        assert_eq!(check(), 200, "the old tokens stay in force");
        assert_eq!(status(&front, "", "/check", r#"{"key":"k"}"#), 401);
        fs::write(&file, entry("t0ken", "role = \"check\"")).expect("to write the tokens");
        eventually("the file is good again", SOON, is_good);
    }
    fs::write(&file, "tokens = []").expect("to write the tokens");
    eventually("nobody is admitted, as the file says", SOON, || check() == 401);
    assert!(is_good());
}

#[test]
fn an_invalid_token_file_stops_the_start() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("tokens.toml");
    fs::write(&file, entry("x", "role = \"root\"")).expect("to write the tokens");
    let path = file.to_str().expect("a path in UTF-8");
    let output = Front::run(&["--listen", "127.0.0.1:0", "--tokens", path]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("tokens.toml: line 4: unknown variant, expected `check`"), "{stderr}");
}
