//! Passwords that change while the front runs.

use std::fs;

use rl_tests::{Front, Setup, eventually};
use tempfile::TempDir;

use super::{SOON, check, front, healed, is_degraded};

#[test]
fn a_password_is_rotated_without_a_restart_and_without_a_gap() {
    let server = Setup::with_module().start();
    let rules = "on ~rl:* resetchannels -@all +ping +role +rl.check +rl.peek +rl.mcheck";
    server.run::<()>(&format!("ACL SETUSER front {rules} >first"));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first\n").unwrap();
    let store = server.url().replace("redis://", "redis://front@");
    let front = front(&store, &["--redis-password-file", file.to_str().unwrap()]);
    healed(&front, "k");
    // Both are good for a while, as when a secret is rotated.
    server.run::<()>("ACL SETUSER front >second");
    fs::write(&file, "second\n").unwrap();
    let logins = || -> u64 {
        let stats: String = server.run("INFO commandstats");
        let auth = stats.lines().find_map(|line| line.strip_prefix("cmdstat_auth:calls="));
        auth.and_then(|it| it.split(',').next()?.parse().ok()).unwrap_or_default()
    };
    let before = logins();
    eventually("every worker logs in again", SOON, || {
        assert!(!is_degraded(&check(&front, "k", 1_000_000)), "{}", front.log());
        logins() >= before + 2
    });
    server.run::<()>("ACL SETUSER front <first");
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    healed(&front, "k");
    // One that is wrong is told, and healed by the file alone.
    server.run::<()>("ACL SETUSER front <second >third");
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    eventually("it says why", SOON, || {
        check(&front, "k", 1_000_000);
        front.log().contains("WRONGPASS")
    });
    fs::write(&file, "third").unwrap();
    healed(&front, "k");
    assert!(!front.log().contains("second") && !front.log().contains("third"));
}

#[test]
fn what_cannot_be_read_is_no_start() {
    for flags in [["--redis-password-file", "/nowhere/password"], ["--redis-ca", "/nowhere/ca.pem"]]
    {
        let store = if flags[0] == "--redis-ca" { "rediss://h" } else { "redis://h" };
        let output = Front::run(&[&["--store", store][..], &flags].concat());
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(flags[1]), "{said}");
    }
}
