//! Redis over TLS.

use std::path::Path;

use rl_tests::{
    Authority, Cluster, Front, RedisServer, Sentinels, Setup, eventually, free_port, skip,
};

use super::{PATIENT, SOON, check, front, healed, is_degraded};

/// Directives of a server whose certificate has this name. `clients` is its `tls-auth-clients`.
fn directives(authority: &Authority, name: &str, clients: &str) -> Vec<String> {
    let [cert, key] = authority.sign(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    vec![
        format!("tls-cert-file {}", text(&cert)),
        format!("tls-key-file {}", text(&key)),
        format!("tls-ca-cert-file {}", text(&authority.ca())),
        format!("tls-auth-clients {clients}"),
    ]
}

/// A server with TLS on a second port.
fn setup(port: u16, directives: &[String]) -> Setup {
    directives
        .iter()
        .fold(Setup::with_module().option(&["tls-port", &port.to_string()]), |setup, directive| {
            setup.option(&directive.split(' ').collect::<Vec<_>>())
        })
}

/// A server and its TLS port; `None` if Redis was built without TLS.
pub(super) fn server(
    authority: &Authority,
    name: &str,
    clients: &str,
) -> Option<(RedisServer, u16)> {
    let port = free_port();
    Some((setup(port, &directives(authority, name, clients)).try_start()?, port))
}

fn assert_refused(store: &str, more: &[&str], reason: &str) {
    let front = Front::start_unready(&[&["--store", store][..], &PATIENT, more].concat());
    eventually(reason, SOON, || front.log().contains(reason));
    assert!(is_degraded(&check(&front, "k", 10)));
}

#[test]
fn only_a_verified_server_decides() {
    let authority = Authority::new();
    let ca = authority.ca();
    let ca = ca.to_str().unwrap();
    let Some((server, port)) = server(&authority, "127.0.0.1", "no") else {
        skip!("this Redis was built without TLS")
    };
    let store = format!("rediss://127.0.0.1:{port}");
    let trusting = front(&store, &["--redis-ca", ca]);
    healed(&trusting, "k");
    assert_eq!(check(&trusting, "story", 10)["remaining"], 9);
    assert_eq!(server.run::<i64>("EXISTS rl:{story}:inline"), 1);
    // The replies to a batch take more than one TLS record.
    let one = r#"{"key":"KEY","capacity":10,"rate":"1/d"}"#;
    let checks: Vec<_> = (0..1000).map(|i| one.replace("KEY", &format!("key:{i}"))).collect();
    let answer = trusting.post("/check/batch", &format!(r#"{{"checks":[{}]}}"#, checks.join(",")));
    let results = answer.body["results"].as_array().unwrap();
    assert!(results.iter().all(|it| it["remaining"] == 9 && !is_degraded(it)));
    // Trust in the public authorities, in another authority, and in a name.
    assert_refused(&store, &[], "UnknownIssuer");
    let other = Authority::new();
    assert_refused(&store, &["--redis-ca", other.ca().to_str().unwrap()], "BadSignature");
    let by_name = format!("rediss://localhost:{port}");
    assert_refused(&by_name, &["--redis-ca", ca], "not valid for name");
    healed(&front(&by_name, &["--redis-ca", ca, "--redis-verify", "ca"]), "k");
    let verify =
        ["--redis-ca", other.ca().to_str().unwrap(), "--redis-verify", "ca"].map(str::to_owned);
    assert_refused(&by_name, &verify.each_ref().map(String::as_str), "BadSignature");
}

#[test]
fn the_log_says_which_side_speaks_tls() {
    let authority = Authority::new();
    let ca = authority.ca();
    let ca = ["--redis-ca", ca.to_str().unwrap()];
    let Some((server, port)) = server(&authority, "127.0.0.1", "no") else {
        skip!("this Redis was built without TLS")
    };
    assert_refused(&format!("redis://127.0.0.1:{port}"), &[], "use rediss://");
    let in_plain = format!("rediss://127.0.0.1:{}", server.port());
    // Redis answers if it takes the greeting for a line of its own, else it waits for the end of it.
    assert_refused(&in_plain, &ca, "the server does not speak TLS here");
}

#[test]
fn a_server_may_require_a_client_certificate() {
    let authority = Authority::new();
    let ca = authority.ca();
    let ca = ca.to_str().unwrap();
    let Some((_server, port)) = server(&authority, "127.0.0.1", "yes") else {
        skip!("this Redis was built without TLS")
    };
    let store = format!("rediss://127.0.0.1:{port}");
    let [cert, key] = authority.sign("front");
    let ours = [
        "--redis-ca",
        ca,
        "--redis-cert",
        cert.to_str().unwrap(),
        "--redis-key",
        key.to_str().unwrap(),
    ];
    healed(&front(&store, &ours), "k");
    let anonymous =
        Front::start_unready(&[&["--store", &store, "--redis-ca", ca][..], &PATIENT].concat());
    eventually("Redis refuses the front", SOON, || {
        anonymous.log().contains("cannot connect to redis")
    });
    assert!(is_degraded(&check(&anonymous, "k", 10)));
}

#[test]
fn nodes_of_a_cluster_speak_tls() {
    let authority = Authority::new();
    let ca = authority.ca();
    if server(&authority, "127.0.0.1", "no").is_none() {
        skip!("this Redis was built without TLS");
    }
    let directives = directives(&authority, "127.0.0.1", "no");
    let ports: Vec<_> = (0..2).map(|_| free_port()).collect();
    let node = |at: usize| setup(ports[at], &directives).option(&["tls-cluster", "yes"]);
    let cluster = Cluster::start_each(node, 2, 2);
    let store = format!("rediss+cluster://127.0.0.1:{}", ports[0]);
    let front = front(&store, &["--redis-ca", ca.to_str().unwrap()]);
    for key in (0..20).map(|i| format!("key:{i}")) {
        healed(&front, &key);
    }
    for node in cluster.nodes() {
        assert!(node.run::<u64>("DBSIZE") > 0);
    }
}

#[test]
fn sentinels_and_their_primary_speak_tls() {
    let authority = Authority::new();
    let ca = authority.ca();
    let Some((server, port)) = server(&authority, "127.0.0.1", "no") else {
        skip!("this Redis was built without TLS")
    };
    let sentinels = Sentinels::watch_over_tls(port, &directives(&authority, "127.0.0.1", "no"));
    let front = front(&sentinels.url(), &["--redis-ca", ca.to_str().unwrap()]);
    healed(&front, "k");
    assert_eq!(server.run::<i64>("EXISTS rl:{k}:inline"), 1);
}
