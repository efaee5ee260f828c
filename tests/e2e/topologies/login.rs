//! Passwords that change while the front runs, and access tokens in their place.

use std::fs;
use std::sync::{Arc, Mutex};

use rl_tests::{
    Application, Authority, Front, Sentinels, Setup, eventually, primary_with_replicas, skip,
};
use serde_json::json;
use tempfile::TempDir;

use super::{PATIENT, SOON, check, front, healed, is_degraded, tls};

/// Permissions of the front's user in these tests.
const RULES: &str = "on ~rl:* resetchannels -@all +ping +role +rl.check +rl.peek +rl.mcheck";

#[test]
fn a_password_is_rotated_without_a_restart_and_without_a_gap() {
    let server = Setup::with_module().start();
    server.run::<()>(&format!("ACL SETUSER front {RULES} >first"));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first\n").unwrap();
    let store = server.url().replace("redis://", "redis://front@");
    let front = front(&store, &["--redis-password-file", file.to_str().unwrap()]);
    healed(&front, "k");
    // Both are valid for a while, as when a secret is rotated.
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
    // A wrong password is reported, and a new file heals it.
    server.run::<()>("ACL SETUSER front <second >third");
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    eventually("the log names the cause", SOON, || {
        check(&front, "k", 1_000_000);
        front.log().contains("WRONGPASS")
    });
    fs::write(&file, "third").unwrap();
    healed(&front, "k");
    assert!(!front.log().contains("second") && !front.log().contains("third"));
}

#[test]
fn a_service_account_logs_in() {
    let authority = Authority::new();
    let Some((server, port)) = tls::server(&authority, "127.0.0.1", "no") else {
        skip!("this Redis was built without TLS")
    };
    server.run::<()>(&format!("ACL SETUSER front {RULES} >ya29.first"));
    // The metadata server answers 503 until it has a token.
    let token = Arc::new(Mutex::new(None::<(&str, u32)>));
    let now = Arc::clone(&token);
    let google = Application::with_handler(move |request| match *now.lock().unwrap() {
        Some((token, seconds)) if request.header("metadata-flavor") == "Google" => {
            (200, json!({"access_token": token, "expires_in": seconds}).to_string())
        }
        _ => (503, "ya29.not-now".to_owned()),
    });
    let metadata = format!("127.0.0.1:{}", google.port());
    let (store, ca) = (format!("rediss://front@127.0.0.1:{port}"), authority.ca());
    let flags = ["--store", &store, "--redis-ca", ca.to_str().unwrap(), "--workers", "2"];
    let environment = [
        ("GCE_METADATA_HOST", metadata.as_str()),
        ("RL_REDIS_IAM", "google"),
        ("RUST_LOG", "trace"), // at which the HTTP client would print the answer
    ];
    let front = Front::start_with_env(&environment, &[&flags[..], &PATIENT].concat());

    eventually("the log names the cause", SOON, || {
        is_degraded(&check(&front, "k", 10)) && front.log().contains("no access token: http://")
    });
    *token.lock().unwrap() = Some(("ya29.first", 3599));
    healed(&front, "k");
    eventually("both workers are logged in", SOON, || front.links() == 2);
    let requests = google.take();
    let path = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1";
    assert!(requests.iter().all(|request| request.start_line == path), "{requests:?}");

    // A token lives for an hour: new connections use it again.
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    eventually("both workers are logged in again", SOON, || front.links() == 2);
    healed(&front, "k");
    assert!(google.take().is_empty());
    // A refused token is not used again.
    *token.lock().unwrap() = Some(("ya29.second", 200));
    server.run::<()>("ACL SETUSER front resetpass >ya29.second");
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    let is_back = || !is_degraded(&check(&front, "k", 1_000_000)) && front.links() == 2;
    eventually("workers use the new token", SOON, is_back);
    assert!(!google.take().is_empty());
    // A token that is about to expire is not used again.
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    eventually("the front asks for another", SOON, || is_back() && !google.take().is_empty());
    assert!(!front.log().contains("ya29"), "{}", front.log());
}

#[test]
fn a_password_that_is_not_watched_is_read_with_the_next_connection() {
    let server = Setup::with_module().start();
    server.run::<()>(&format!("ACL SETUSER front {RULES} >first"));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "first").unwrap();
    let store = server.url().replace("redis://", "redis://front@");
    let file_flag = ["--redis-password-file", file.to_str().unwrap()];
    let front = front(&store, &[&file_flag[..], &["--reload", "signal"]].concat());
    healed(&front, "k");
    // A watched file that is gone would be reported within a second. Connections go on without it.
    fs::remove_file(&file).unwrap();
    server.run::<redis::Value>("CLIENT KILL TYPE normal SKIPME yes");
    eventually("the next connection misses it", SOON, || {
        check(&front, "k", 1_000_000);
        front.log().contains("No such file")
    });
    server.run::<()>("ACL SETUSER front resetpass >second");
    fs::write(&file, "second").unwrap();
    healed(&front, "k");
}

#[test]
fn a_password_that_is_not_watched_is_not_read_with_each_question_to_sentinels() {
    let servers = primary_with_replicas(Setup::with_module, 1);
    let server = &servers[0];
    let sentinels = Sentinels::watch(server, 1);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    let write = |password: &str| fs::write(&file, password).unwrap();
    write("first");
    let [quiet, watching] = [("quiet", "signal"), ("watching", "change")].map(|(user, when)| {
        server.run::<()>(&format!("ACL SETUSER {user} {RULES} >first >second >third"));
        let store = sentinels.url().replace("://", &format!("://{user}@"));
        let flags = ["--redis-password-file", file.to_str().unwrap(), "--reload", when];
        let front = front(&store, &flags);
        eventually("every worker is logged in", SOON, || front.links() == 2);
        (user, front)
    });
    // Ids of connections, which Redis never reuses.
    let connections = |user: &str| {
        let list: String = server.run("CLIENT LIST");
        let of_user = list.lines().filter(|line| line.contains(&format!("user={user} ")));
        let mut ids: Vec<_> = of_user.map(|it| it.split(' ').next().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let before = connections(quiet.0);
    assert_eq!(before.len(), 2);
    // The watching front has reconnected twice, so at least a second has passed.
    for password in ["second", "third"] {
        let old = connections(watching.0);
        write(password);
        eventually("the watching front reconnects", SOON, || {
            let new = connections(watching.0);
            new.len() == 2 && new.iter().all(|id| !old.contains(id))
        });
    }
    assert_eq!(connections(quiet.0), before);
}

#[test]
fn a_file_that_cannot_be_read_stops_the_start() {
    for flags in [["--redis-password-file", "/nowhere/password"], ["--redis-ca", "/nowhere/ca.pem"]]
    {
        let store = if flags[0] == "--redis-ca" { "rediss://h" } else { "redis://h" };
        let output = Front::run(&[&["--store", store][..], &flags].concat());
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(flags[1]), "{stderr}");
    }
}
