//! Sockets that systemd passes on: `--listen systemd`.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Output};

use rl_tests::{ChildProcess, server_path, skip};
use tempfile::TempDir;

use super::{exchange, text};
use crate::connections::{BODY, Connection, get, post};

/// A command that runs a front as systemd does: the socket is descriptor 3, and the variables say
/// so.
fn activated(socket: impl Into<OwnedFd>, name: &str, arguments: &[&str]) -> Command {
    const SCRIPT: &str = "exec 3<&0 </dev/null; \
                          LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=$1; shift; \
                          export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(server_path()).arg(name).args(arguments);
    command.stdin(socket.into()).env_remove("PORT");
    command
}

fn error(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("sh");
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).expect("UTF-8")
}

#[test]
fn an_inherited_socket_of_either_kind_is_served_and_its_file_stays() {
    let folder = TempDir::new().unwrap();
    let path = text(&folder.path().join("rl.sock"));
    let listener = UnixListener::bind(&path).unwrap();
    let early = super::connect(&path); // waits until there is a front
    let mut front =
        ChildProcess::launch(&mut activated(listener, "http", &["--listen", "systemd"]));
    front.wait_for_output(&format!("rl-server on unix:{path} (store: memory). Try: curl"));
    let mut early = early;
    early.send(&post("/check", "", BODY));
    assert!(early.response().starts_with("http/1.1 200"));
    front.signal("TERM");
    assert!(front.wait(super::SOON).success());
    assert!(fs::exists(&path).unwrap(), "the file is systemd's");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let listen = ["--listen", "systemd:http"];
    let front = ChildProcess::launch(&mut activated(listener, "http", &listen));
    front.wait_for_output(&format!("rl-server on http://{address} "));
    let mut connection = Connection::open(&address);
    connection.send(&get("/health/live", ""));
    assert!(connection.response().starts_with("http/1.1 200"));
}

#[test]
fn two_sockets_have_names() {
    let program = "systemd-socket-activate";
    if Command::new(program).arg("--version").output().is_err() {
        skip!("{program} is not here");
    }
    let folder = TempDir::new().unwrap();
    let [main, admin] = ["rl.sock", "admin.sock"].map(|name| text(&folder.path().join(name)));
    let mut command = Command::new(program);
    command.args(["-l", &main, "-l", &admin, "--fdname=http:operators"]).arg(server_path());
    command.args(["--listen", "systemd:http", "--admin-listen", "systemd:operators"]);
    let front = ChildProcess::launch(command.env_remove("PORT"));
    front.wait_for_output("Listening on");
    // It starts the front with the first connection.
    let close = "Connection: close\r\n";
    let (head, _) = exchange(&main, &post("/check", close, BODY));
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(exchange(&admin, &get("/metrics", close)).1.contains("rl_decisions_total"));
    assert!(exchange(&main, &get("/metrics", close)).0.starts_with("http/1.1 404"));
}

#[test]
fn errors_name_what_is_missing() {
    let folder = TempDir::new().unwrap();
    let listener = |name: &str| UnixListener::bind(folder.path().join(name)).unwrap();
    let mut alone = Command::new(server_path());
    let alone = error({
        alone.args(["--listen", "systemd"]);
        alone
    });
    assert!(alone.contains("cannot listen on systemd: systemd has passed on no socket"), "{alone}");
    let listen = ["--listen", "systemd:web"];
    let unknown = error(activated(listener("a"), "http", &listen));
    assert!(unknown.contains("with one of the FileDescriptorName= http"), "{unknown}");
    let twice = ["--listen", "systemd", "--admin-listen", "systemd"];
    let twice = error(activated(listener("b"), "http", &twice));
    assert!(twice.contains("the socket is used already"), "{twice}");
    let datagrams = UnixDatagram::bind(folder.path().join("c")).unwrap();
    let datagrams = error(activated(datagrams, "http", &["--listen", "systemd"]));
    assert!(datagrams.contains("it must be a listening stream socket"), "{datagrams}");
}
