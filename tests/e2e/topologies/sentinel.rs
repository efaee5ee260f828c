//! A primary that Sentinels name.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rl_tests::{Front, Sentinels, Setup, eventually, primary_with_replicas};

use super::{SOON, check, front, healed, is_degraded};

#[test]
fn the_primary_dies_and_the_front_follows() {
    let mut servers = primary_with_replicas(Setup::with_module, 2);
    let sentinels = Sentinels::watch(&servers[0], 2);
    let front = front(&sentinels.url(), &[]);
    healed(&front, "k");
    assert_eq!(check(&front, "story", 100)["remaining"], 99);
    servers[1].catch_up(&servers[0]);
    servers[2].catch_up(&servers[0]);
    servers[0].kill();
    let answer = check(&front, "other", 100);
    assert!(is_degraded(&answer), "{answer}");
    healed(&front, "k");
    eventually("the first Sentinel names the new primary", SOON, || {
        sentinels.primary() != servers[0].port()
    });
    assert_eq!(check(&front, "story", 100)["remaining"], 98, "the replicated bucket");
    // The old primary comes back, and becomes a replica.
    servers[0].start_again();
    eventually("the old primary is a replica", SOON, || {
        // Connections are closed when it becomes one.
        let role = servers[0].try_run::<String>("INFO replication").unwrap_or_default();
        role.contains("role:slave")
    });
    let answer = check(&front, "story", 100);
    assert_eq!((is_degraded(&answer), &answer["remaining"]), (false, &97.into()));
}

#[test]
fn a_failover_for_maintenance_is_followed_while_the_old_primary_still_answers() {
    let servers = primary_with_replicas(Setup::with_module, 1);
    let sentinels = Sentinels::watch(&servers[0], 1);
    let front = front(&sentinels.url(), &[]);
    healed(&front, "k");
    sentinels.fail_over();
    eventually("the replica is the primary", SOON, || {
        check(&front, "k", 1_000_000);
        sentinels.primary() == servers[1].port() && servers[1].info("role") == "master"
    });
    // Until it is demoted, or the front asks the Sentinels again, the old primary still decides.
    eventually("the front follows", SOON, || {
        check(&front, "after", 10);
        servers[1].run::<i64>("EXISTS rl:{after}:inline") == 1
    });
    healed(&front, "k");
}

#[test]
fn sentinels_without_such_a_primary_are_reported() {
    let servers = primary_with_replicas(Setup::plain, 0);
    let sentinels = Sentinels::watch(&servers[0], 0);
    let store = sentinels.url().replace("/main", "/other");
    let front = Front::start_unready(&["--store", &store]);
    eventually("the log names the cause", SOON, || {
        front.log().contains("does not watch a primary")
    });
}

#[test]
fn a_sentinel_and_a_server_are_told_apart() {
    let server = Setup::plain().start();
    let sentinels = Sentinels::watch(&server, 0);
    for (store, cause) in [
        (
            format!("redis://127.0.0.1:{}", sentinels.ports()[0]),
            "the server is a Sentinel: use redis+sentinel://",
        ),
        (format!("redis+sentinel://127.0.0.1:{}/main", server.port()), "is no Sentinel"),
    ] {
        let front = Front::start_unready(&["--store", &store, "--workers", "1"]);
        eventually(cause, SOON, || front.log().contains(cause));
    }
}

/// The address of a group by these Sentinels, on 127.0.0.1.
fn by(ports: [u16; 3]) -> String {
    let hosts = ports.map(|port| format!("127.0.0.1:{port}"));
    format!("redis+sentinel://{}/main", hosts.join(","))
}

#[test]
fn a_minority_of_the_sentinels_is_not_followed() {
    let [minority, mut majority] = [(), ()].map(|()| Setup::with_module().start());
    let sentinels = [&minority, &majority].map(|server| Sentinels::watch(server, 0));
    let [few, many] = sentinels.each_ref().map(Sentinels::ports);
    let front = front(&by([few[0], many[0], many[1]]), &[]);
    healed(&front, "k");
    assert!(majority.run::<u64>("DBSIZE") > 0);
    majority.kill();
    // Several attempts to connect.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let answer = check(&front, "other", 100);
        assert!(is_degraded(&answer), "{answer}");
    }
    assert_eq!(minority.run::<u64>("DBSIZE"), 0, "nobody asked the server of the minority");
    majority.start_again();
    healed(&front, "k");
}

#[test]
fn without_a_majority_of_the_sentinels_there_is_no_primary() {
    let servers = [(), ()].map(|()| Setup::with_module().start());
    let sentinels = servers.each_ref().map(|server| Sentinels::watch(server, 0));
    let [few, many] = sentinels.each_ref().map(Sentinels::ports);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port"); // connects, never answers
    let silent = silent.local_addr().expect("an address").port();
    let front = Front::start_unready(&["--store", &by([few[0], many[0], silent])]);
    eventually("the log names the cause", SOON, || {
        front.log().contains("no majority of the 3 Sentinels names one primary: 1 127.0.0.1:")
    });
    assert!(is_degraded(&check(&front, "k", 100)));
    for server in &servers {
        assert_eq!(server.run::<u64>("DBSIZE"), 0, "nobody asked it");
    }
}

#[test]
fn a_sentinel_that_is_silent_or_names_nobody_is_outvoted() {
    let server = Setup::with_module().start();
    let sentinels = Sentinels::watch(&server, 0);
    sentinels.forget_primary(2);
    let ports = sentinels.ports();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port"); // connects, never answers
    let silent = silent.local_addr().expect("an address").port();
    for third in [ports[2], silent] {
        let front = front(&by([third, ports[0], ports[1]]), &[]);
        healed(&front, "k");
    }
    let front = Front::start_unready(&["--store", &by([silent, ports[2], ports[0]])]);
    eventually("the log names the cause", SOON, || {
        front.log().contains("no majority of the 3 Sentinels names one primary: 1 127.0.0.1:")
    });
    assert!(is_degraded(&check(&front, "k", 100)));
}
