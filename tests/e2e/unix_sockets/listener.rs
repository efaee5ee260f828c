//! `--listen unix:/PATH`: the file, its permissions, what is replaced, and who may ask.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;

use rl_tests::{Front, server_path};
use serde_json::json;
use tempfile::TempDir;

use super::{UnixFront, connect, exchange, start, text};
use crate::cli::{json_of, run};
use crate::connections::get;

#[test]
fn the_start_line_can_be_copied() {
    let front = UnixFront::start(&["--capacity", "3", "--rate", "1/d"]);
    let log = front.log();
    let (first, command) = log.lines().next().expect("a line").split_once(" Try: ").expect(&log);
    assert_eq!(first, format!("rl-server on unix:{} (store: memory).", front.path()));
    let output = Command::new("sh").args(["-c", command]).output().expect("curl");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(
        answer.contains(r#""allowed":true"#) && answer.contains(r#""remaining":2"#),
        "{answer}"
    );
}

#[test]
fn tools_reach_a_front_at_its_socket() {
    let front = UnixFront::start(&["--capacity", "3", "--rate", "1/d"]);
    let server = format!("unix:{}", front.path());
    let server = ["--server", &server];
    assert_eq!(run("check user:42", &server).1, "allowed   2 of 3 left, full again in 1 d\n");
    let (code, body) = json_of("peek user:42", &server);
    assert_eq!((code, &body["remaining"]), (0, &json!(2)));
    assert_eq!(run("reset user:42", &server).1, "reset     1 bucket, full again\n");
    let load = "bench --duration 200ms --connections 2 --keys 1 --batch 3";
    let (code, result) = json_of(load, &server);
    assert_eq!((code, &result["allowed"]), (0, &json!(3)), "{result}");
    // The variable serves health checks of containers, which pass no flag.
    let mut command = Command::new(server_path());
    command.args(["peek", "healthcheck"]).env("RL_SERVER", server[1]);
    assert!(command.status().expect("rl-server").success());
    let (code, _, error) = run("peek k --server unix:/nowhere/rl.sock", &[]);
    let expected = "rl-server: unix:/nowhere/rl.sock: No such file or directory (os error 2)\n";
    assert_eq!((code, error.as_str()), (3, expected));
    assert_eq!(run("peek k --server unix:rl.sock", &[]).0, 2);
}

#[test]
fn the_file_has_its_permissions_whatever_the_umask_is() {
    for (mode, expected) in [("", 0o660), (",mode=600", 0o600), (",mode=0666", 0o666)] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rl.sock");
        let command = format!("umask 077 && exec \"$0\" --listen 'unix:{}{mode}'", text(&path));
        let process = rl_tests::ChildProcess::launch(
            Command::new("sh").args(["-c", &command]).arg(server_path()).env_remove("PORT"),
        );
        process.wait_for_output("rl-server on unix:");
        let metadata = fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o7777, expected, "{mode}");
    }
}

#[test]
fn the_file_is_removed_at_the_end() {
    let folder = TempDir::new().unwrap();
    let admin = text(&folder.path().join("admin.sock"));
    let mut front = UnixFront::start(&["--admin-listen", &format!("unix:{admin}")]);
    assert!(front.log().contains(&format!("rl-server for operators on unix:{admin}\n")));
    assert!(exchange(&admin, &get("/metrics", "Connection: close\r\n")).1.contains("rl_"));
    assert!(front.text("/metrics").contains("404"), "operators have a listener of their own");
    assert!(front.stop().success(), "{}", front.log());
    assert!(!fs::exists(front.path()).unwrap() && !fs::exists(&admin).unwrap());
    // Nor does a front stay behind that cannot start.
    let path = text(&folder.path().join("rl.sock"));
    let output = Front::run(&["--listen", &format!("unix:{path}"), "--config", "/nowhere.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!fs::exists(&path).unwrap());
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let folder = TempDir::new().unwrap();
    let path = text(&folder.path().join("rl.sock"));
    let listen = ["--listen", &format!("unix:{path}")];
    let refused = |reason: &str| {
        let output = Front::run(&listen);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error, format!("rl-server: cannot listen on {}: {reason}\n", listen[1]));
    };
    let mut killed = start(&listen);
    killed.signal("KILL");
    killed.wait(super::SOON);
    assert!(fs::exists(&path).unwrap(), "a killed process leaves its file");
    let mut front = start(&listen);
    refused("in use: another process listens there");
    connect(&path).send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    front.signal("TERM");
    assert!(front.wait(super::SOON).success());

    // One that listens and does not accept is alive too, also when its queue is full.
    let listener = UnixListener::bind(&path).unwrap();
    refused("in use: another process listens there");
    drop(listener);
    let stuck = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    fs::remove_file(&path).unwrap();
    stuck.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    stuck.listen(0).unwrap();
    let _waiting = connect(&path);
    refused("in use: another process listens there");
    drop(stuck);

    fs::remove_file(&path).unwrap();
    for is_link in [false, true] {
        let target = folder.path().join("file");
        fs::write(&target, "mine").unwrap();
        if is_link {
            std::os::unix::fs::symlink(&target, &path).unwrap();
        } else {
            fs::write(&path, "mine").unwrap();
        }
        refused("there is another file, which is no socket and stays as it is");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_socket_put_in_its_place_stays() {
    let mut front = UnixFront::start(&[]);
    let path = front.path().to_owned();
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    assert!(front.stop().success());
    assert!(fs::exists(&path).unwrap());
}

#[test]
fn addresses_that_cannot_be_are_refused_with_the_rule() {
    let long = format!("unix:/tmp/{}", "x".repeat(103));
    for (listen, code, reason) in [
        ("unix:/nowhere/rl.sock", 1, "cannot listen on unix:/nowhere/rl.sock: there is no folder"),
        ("unix:/dev/null/rl.sock", 1, "there is no folder /dev/null"),
        ("unix:rl.sock", 2, "the path of a Unix socket must begin with /"),
        ("unix:@rl", 2, "an abstract socket (unix:@NAME) has no permissions"),
        ("unix:/tmp/rl.sock,mode=rw", 2, "the mode of a Unix socket must be octal"),
        ("/tmp/rl.sock", 2, "a Unix socket is written unix:/tmp/rl.sock"),
        (&long, 2, "the path of a Unix socket has at most 107 bytes, this one 108"),
    ] {
        for arguments in
            [&["--listen", listen][..], &["--listen", "127.0.0.1:0", "--admin-listen", listen]]
        {
            let output = Front::run(arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(error.contains(reason), "{arguments:?}: {error}");
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        }
    }
}

/// A connection has no address, and none is ever used as a key: the caller or its proxy names one.
#[test]
fn a_policy_by_address_reads_the_key_that_the_proxy_sends() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("policies.toml");
    fs::write(&file, "[policies.default]\nkey = \"ip\"\ncapacity = 3\nrate = \"1/d\"\n").unwrap();
    let front = UnixFront::start(&["--config", &text(&file)]);
    let ask = |headers: &str| {
        let headers = format!("{headers}Connection: close\r\n");
        exchange(front.path(), &get("/check?key_header=X-Forwarded-For", &headers))
    };
    for remaining in [2, 1] {
        let (head, _) = ask("X-Forwarded-For: ::ffff:192.0.2.1\r\n");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains(&format!("\"default\";r={remaining};")), "{head}");
    }
    for headers in ["", "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n", "X-Forwarded-For: unix:\r\n"] {
        let (head, body) = ask(headers);
        assert!(head.starts_with("http/1.1 422"), "{headers}: {head}{body}");
    }
    assert_eq!(front.check(r#"{"key":"192.0.2.1"}"#)["remaining"], json!(0));
}
