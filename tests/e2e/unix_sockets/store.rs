//! `--store redis+unix:///PATH`: decisions, true causes, and a Redis that comes back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use rl_tests::{
    ChildProcess, Front, RedisServer, Setup, eventually, example_path, server_path, skip,
};
use serde_json::json;
use tempfile::TempDir;

use super::{SOON, UnixFront, text};
use crate::cli::{json_of, run};

fn with_socket(setup: Setup) -> RedisServer {
    setup.option(&["unixsocket", "redis.sock"]).option(&["unixsocketperm", "700"]).start()
}

fn socket(server: &RedisServer) -> String {
    text(&server.folder().join("redis.sock"))
}

#[test]
fn fronts_tools_and_embedded_stores_share_buckets_over_both_kinds_of_socket() {
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        let server = with_socket(setup);
        let user = "ACL SETUSER front on >p@ss ~rl:* resetchannels +@all";
        server.run::<()>(user);
        let unix = format!("redis+unix://front:p%40ss@{}?db=2", socket(&server));
        let tcp = format!("redis://front:p%40ss@127.0.0.1:{}/2", server.port());
        let limit = ["--capacity", "20", "--rate", "1/d"];
        let fronts =
            [&unix, &tcp].map(|store| Front::start(&[&["--store", store], &limit[..]].concat()));
        for (front, remaining) in fronts.iter().chain(&fronts).zip((16..20).rev()) {
            let answer = front.check(r#"{"key":"k"}"#);
            assert_eq!(
                (&answer["remaining"], &answer["degraded"]),
                (&json!(remaining), &json!(null))
            );
        }
        assert_eq!(fronts[0].get("/health/ready").body["engine"], json!(engine));
        let line = fronts[0].start_line();
        let shown = format!("(store: redis+unix://{}?db=2)", socket(&server));
        assert!(line.contains(&shown) && !line.contains("p%40ss"), "{line}");

        let store = ["--store", unix.as_str(), "--engine", engine];
        let (code, body) = json_of("check k --capacity 20 --rate 1/d", &store);
        assert_eq!((code, &body["remaining"]), (0, &json!(15)));
        assert_eq!(run("reset k", &store).1, "reset     1 bucket, full again\n");
        let load = "bench --capacity 20 --refill 1/d --duration 200ms --keys 1";
        let (code, result) = json_of(load, &store);
        assert_eq!((code, &result["allowed"]), (0, &json!(20)), "{result}");
        let exported = Front::run(&["export", "--store", &unix]);
        assert!(exported.stdout.starts_with(b"*6\r\n$3\r\nSET\r\n"), "{exported:?}");
        let embedded =
            Command::new(example_path("embed")).arg(&unix).output().expect("the example");
        assert!(String::from_utf8_lossy(&embedded.stdout).contains("call 1: allowed, 4 left"));

        let clients: String = server.run("CLIENT LIST");
        let named = clients.lines().filter(|line| line.contains(" name=rl-server ")).count();
        let over_unix = |line: &&str| line.contains("redis.sock:0") && line.contains(" db=2 ");
        let over_unix = clients.lines().filter(|line| line.contains("rl-server")).filter(over_unix);
        let over_unix = over_unix.count();
        assert!(over_unix >= 1 && named > over_unix, "{clients}");
    }
}

/// A front over this store that has tried to connect, and its log.
fn cause(store: &str, launch: impl Fn(&[&str]) -> ChildProcess, path: &str) -> (String, String) {
    let _ = fs::remove_file(path);
    let listen = format!("unix:{path},mode=666");
    let front = launch(&["--listen", &listen, "--store", store]);
    front.wait_for_output("cannot connect to redis, retrying: ");
    let (_, ready) =
        super::exchange(path, &crate::connections::get("/health/ready", "Connection: close\r\n"));
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("JSON");
    assert_eq!(ready["store"], json!("down"));
    (front.output(), ready["cause"].as_str().expect("a cause").to_owned())
}

#[test]
fn log_and_health_name_the_path_and_the_true_cause() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let at = |name: &str| text(&folder.path().join(name));
    fs::write(at("file"), "").unwrap();
    drop(UnixListener::bind(at("dead")).unwrap());
    let launch = |arguments: &[&str]| {
        ChildProcess::launch(Command::new(server_path()).args(arguments).env_remove("PORT"))
    };
    for (name, reason) in [
        ("none", "no such file: is Redis running, with `unixsocket` in its configuration?"),
        ("file", "it is not a socket"),
        ("dead", "no process listens there"),
        ("file/redis.sock", "Not a directory (os error 20)"),
    ] {
        let store = format!("redis+unix://{}", at(name));
        let (log, cause) = cause(&store, launch, &at("rl.sock"));
        assert_eq!(cause, format!("{}: {reason}", at(name)));
        assert!(log.contains(&format!("retrying: {cause}")), "{log}");
        let (code, _, error) = run("check k --capacity 1 --rate 1/d --store", &[&store]);
        assert_eq!(code, 3, "{error}");
        assert!(error.contains(&cause), "{error}");
    }
}

#[test]
fn permission_denied_is_named() {
    if !rustix::process::geteuid().is_root() {
        skip!("only root can start a front as another user");
    }
    let server = with_socket(Setup::plain());
    fs::set_permissions(server.folder(), PermissionsExt::from_mode(0o755)).unwrap();
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let program = folder.path().join("rl-server");
    fs::copy(server_path(), &program).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        ChildProcess::launch(command.args(arguments).env_remove("PORT"))
    };
    let store = format!("redis+unix://{}", socket(&server));
    let path = text(&folder.path().join("rl.sock"));
    let (log, cause) = cause(&store, as_nobody, &path);
    assert!(cause.starts_with(&format!("{}: permission denied", socket(&server))), "{cause}");
    assert!(cause.contains("unixsocketperm") && log.contains(&cause), "{log}");
}

#[test]
fn a_redis_that_comes_back_with_another_file_is_found() {
    let mut server = with_socket(Setup::with_module());
    let store = format!("redis+unix://{}", socket(&server));
    let front = UnixFront::start(&["--store", &store, "--workers", "2"]);
    let decides = |front: &UnixFront| front.check(r#"{"key":"k"}"#)["degraded"] == json!(null);
    eventually("it decides", SOON, || decides(&front));
    for _ in 0..2 {
        server.kill();
        assert_eq!(front.check(r#"{"key":"k"}"#)["degraded"], json!(true));
        eventually("it is down", SOON, || front.ready()["store"] == json!("down"));
        fs::remove_file(socket(&server)).unwrap();
        server.start_again();
        eventually("it decides again", SOON, || decides(&front));
        assert_eq!(
            (&front.ready()["store"], &front.ready()["cause"]),
            (&json!("up"), &json!(null))
        );
    }
}

#[test]
fn other_forms_are_refused_with_the_right_one() {
    for (store, reason) in [
        ("unix:///run/hunter2", "a Unix socket is written redis+unix:///run/redis/redis.sock"),
        ("rediss+unix:///run/hunter2", "no Redis speaks over a Unix socket: write redis+unix://"),
        ("redis+unix://hunter2.sock", "its path is missing or does not begin with /"),
        ("redis+unix:///r.sock?password=hunter2", "redis+unix://[user:password@]/path[?db=N]"),
    ] {
        for words in ["--store", "check k --store", "export --store", "bench --store"] {
            let (code, _, error) = run(words, &[store]);
            assert_eq!(code, 2, "{words} {store}: {error}");
            assert!(error.contains(reason) && !error.contains("hunter2"), "{words}: {error}");
        }
    }
    let (code, _, error) = run("--store redis+unix:///r.sock --redis-ca /dev/null", &[]);
    assert_eq!((code, error.contains("need a rediss:// store")), (2, true), "{error}");
}
