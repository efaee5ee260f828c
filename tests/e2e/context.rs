//! The commands in special circumstances: other protocols, clusters, databases, a panic.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use redis::Value;
use rl_tests::{RedisServer, Setup, eventually};

/// Sends these lines as they are and returns the reply up to `until`.
fn talk(server: &RedisServer, lines: &[&str], until: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    stream.write_all((lines.join("\r\n") + "\r\n").as_bytes()).expect("to send");
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&reply).contains(until) {
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "connection closed after {}", String::from_utf8_lossy(&reply));
        reply.extend(&buffer[..read]);
    }
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn both_protocols_have_equal_replies() {
    let server = Setup::with_module().start();
    let lines = ["RL.CHECK k 2 1/d 3", "RL.MCHECK k 2 1/d 3", "RL.CHECK k 0 1", "ECHO end"];
    let second = talk(&server, &lines, "end\r\n");
    let third = talk(&server, &[&["HELLO 3"], &lines[..]].concat(), "end\r\n");
    assert!(second.starts_with("*5\r\n:0\r\n:2\r\n:2\r\n:-1\r\n:0\r\n*5\r\n:0\r\n"), "{second}");
    assert!(third.ends_with(&second), "{third}\nis not\n{second}");
}

#[test]
fn a_client_without_replies_is_served() {
    let server = Setup::with_module().start();
    let lines = [
        "CLIENT REPLY OFF",
        "RL.CHECK k 5 1/d 1",
        "RL.MCHECK k 5 1/d 1 l 5 1/d 1",
        "RL.CHECK k 0 1",
        "CLIENT REPLY ON",
        "CLIENT REPLY SKIP",
        "RL.CHECKALL k 5 1/d 1 l 5 1/d 1",
        "ECHO end",
    ];
    assert_eq!(talk(&server, &lines, "end\r\n"), "+OK\r\n$3\r\nend\r\n");
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK k 5 1/d")[2], 2);
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK l 5 1/d")[2], 3);
}

#[test]
fn a_cluster_routes_by_every_key() {
    let server = Setup::with_module().option(&["cluster-enabled", "yes"]).start();
    // This node serves half the slots; `{a}` is slot 15495, `{b}` 3300, `{c}` 7365.
    let slots: Vec<String> = (0..8192).map(|slot| slot.to_string()).collect();
    server.run::<()>(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
    server.run::<()>("CONFIG SET cluster-require-full-coverage no");
    eventually("the cluster is up", Duration::from_secs(20), || {
        server.run::<String>("CLUSTER INFO").contains("cluster_state:ok")
    });
    for (command, refused) in [
        ("RL.CHECK {b} 5 1/d", None),
        ("RL.PEEK {b} 5 1/d", None),
        ("RL.MCHECK {b}1 5 1/d 1 {b}2 5 1/d 1", None),
        ("RL.CHECKALL {b}1 5 1/d 1 {b}2 5 1/d 1", None),
        ("RL.RESET {b}1 {b}2", None),
        ("RL.CHECK {a} 5 1/d", Some("CLUSTERDOWN")),
        ("RL.PEEK {a} 5 1/d", Some("CLUSTERDOWN")),
        ("RL.TAKE {a} 5 1/d 1", Some("CLUSTERDOWN")),
        ("RL.RESET {a}", Some("CLUSTERDOWN")),
        ("RL.MCHECK {b} 5 1/d 1 {c} 5 1/d 1", Some("CROSSSLOT")),
        ("RL.CHECKALL {b} 5 1/d 1 {c} 5 1/d 1", Some("CROSSSLOT")),
        ("RL.RESET {b} {c}", Some("CROSSSLOT")),
    ] {
        match (server.try_run::<Value>(command), refused) {
            (Ok(_), None) => {}
            (Err(_), Some(code)) => {
                let refusal = server.refusal(command);
                assert!(refusal.starts_with(code), "{command}: {refusal}");
            }
            (answer, _) => panic!("{command}: {answer:?}"),
        }
    }
}

#[test]
fn buckets_move_between_databases() {
    let server = Setup::with_module().start();
    server.run::<Value>("RL.CHECK moved 10 1/d 4");
    server.run::<Value>("RL.CHECK swapped 10 1/d 7");
    let expires = server.expires_at("swapped");
    server.run::<Value>("MOVE moved 1");
    server.run::<()>("SWAPDB 0 1");
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK moved 10 1/d")[2], 6);
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK swapped 10 1/d")[2], 10);
    server.run::<()>("SWAPDB 0 1");
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK swapped 10 1/d")[2], 3);
    assert_eq!(server.expires_at("swapped"), expires);
    server.run::<()>("FLUSHALL");
    assert_eq!(server.run::<[i64; 5]>("RL.CHECK swapped 10 1/d 7")[2], 3);
}

#[test]
fn a_paused_or_killed_client_harms_no_other() {
    let server = Setup::with_module().start();
    server.run::<()>("CLIENT PAUSE 300 WRITE");
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK k 10 1/d")[2], 10);
    assert_eq!(server.run::<[i64; 5]>("RL.CHECK k 10 1/d 4")[2], 6);
    let mut victim = server.connect();
    let id: i64 = redis::cmd("CLIENT").arg("ID").query(&mut victim).expect("an id");
    server.run::<()>(&format!("CLIENT KILL ID {id}"));
    assert!(redis::cmd("RL.CHECK").arg(&["k", "10", "1/d"]).exec(&mut victim).is_err());
    assert_eq!(server.run::<[i64; 5]>("RL.PEEK k 10 1/d")[2], 6);
}

#[test]
fn a_panic_costs_its_caller_an_error_and_nobody_anything_else() {
    let server = Setup::with_panicking_module().start();
    server.run::<Value>("RL.CHECK k 10 1/d 4");
    let before: Vec<u8> = server.run("GET k");
    for key in ["k", "missing", "k"] {
        assert_eq!(
            server.refusal(&format!("RL.PANIC {key}")),
            "ERR internal error in the rl module"
        );
    }
    assert_eq!(server.run::<Vec<u8>>("GET k"), before);
    assert_eq!(server.run::<i64>("EXISTS missing"), 0);
    assert_eq!(server.run::<[i64; 5]>("RL.CHECK k 10 1/d 4")[2], 2);
    assert!(server.run::<String>("INFO rl").contains("rl_errors_internal:3"));
    // The shipped module does not have the command.
    let shipped = Setup::with_module().start();
    assert!(shipped.refusal("RL.PANIC k").contains("unknown command"));
}
