//! Host names that resolve slowly, or to several addresses.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rl_tests::{
    Cluster, Front, Sentinels, Setup, eventually, may_have_own_files, server_path, skip, with_file,
};
use tempfile::TempDir;

use super::rig::SOON;

/// Longer than an attempt to connect may take, shorter than a resolver waits for its name server.
const SLOW: Duration = Duration::from_millis(2500);

/// The answer of a name server (RFC 1035, 4.1) for which every name has this address and no other
/// record.
fn answer(query: Vec<u8>, address: Ipv4Addr) -> Vec<u8> {
    let name = 12 + query[12..].iter().position(|byte| *byte == 0).expect("an end of the name");
    let is_a = query[name + 1..name + 3] == [0, 1];
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(&query[12..name + 5]);
    if is_a {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    answer
}

#[test]
fn a_name_that_takes_long_to_look_up_is_found() {
    let folder = TempDir::new().expect("a temporary folder");
    let resolver = folder.path().join("resolv.conf");
    let with_names = |program: &str| with_file(&resolver, "/etc/resolv.conf", program);
    // Name servers have a fixed port, so the test takes an address of its own.
    let address = Ipv4Addr::new(127, 53, fastrand::u8(..), fastrand::u8(1..255));
    fs::write(&resolver, format!("nameserver {address}\n")).expect("to write a file");
    let socket = match UdpSocket::bind((address, 53)) {
        Ok(socket) => Arc::new(socket),
        Err(error) => skip!("cannot listen on port 53 of {address}: {error}"),
    };
    if !may_have_own_files() {
        skip!("no process here may have files of its own, see unshare(1)");
    }
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            let (query, socket) = (query[..length].to_vec(), Arc::clone(&socket));
            thread::spawn(move || {
                thread::sleep(SLOW);
                let _ = socket.send_to(&answer(query, Ipv4Addr::LOCALHOST), client);
            });
        }
    });
    let server = Setup::with_module().start();
    let mut command = with_names(server_path().to_str().expect("a path in UTF-8"));
    let store = format!("redis://redis.test.:{}", server.port());
    command.args(["--listen", "127.0.0.1:0", "--store", &store, "--deadline-ms", "100"]);
    let front = Front::launch(command);
    eventually("the name is resolved all the same", SOON, || front.links() > 0);
    assert!(
        front.log().contains("no answer in time"),
        "an attempt does not wait that long: {}",
        front.log()
    );
}

#[test]
fn a_silent_address_does_not_hide_the_next() {
    const SILENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    let folder = TempDir::new().expect("a temporary folder");
    let hosts = folder.path().join("hosts");
    let addresses = format!("{SILENT} redis.test\n{} redis.test\n", Ipv4Addr::LOCALHOST);
    fs::write(&hosts, addresses).expect("to write a file");
    let with_names = |program: &str| with_file(&hosts, "/etc/hosts", program);
    if !may_have_own_files() {
        skip!("no process here may have files of its own, see unshare(1)");
    }
    let server = Setup::with_module().start();
    let sentinels = Sentinels::watch(&server, 0);
    let cluster = Cluster::start(Setup::with_module, 1, false);
    let seed = cluster.nodes()[0].port();
    for (port, store) in [
        (server.port(), format!("redis://redis.test:{}", server.port())),
        (
            sentinels.ports()[0],
            format!("redis+sentinel://redis.test:{}/main", sentinels.ports()[0]),
        ),
        (seed, format!("redis+cluster://redis.test:{seed}")),
    ] {
        // Connects, and never answers.
        let _silent = TcpListener::bind((SILENT, port)).expect("a free port");
        let mut command = with_names(server_path().to_str().expect("a path in UTF-8"));
        command.args(["--listen", "127.0.0.1:0", "--store", &store, "--workers", "1"]);
        let front = Front::launch(command);
        eventually("the other address is tried", SOON, || front.links() > 0);
    }
}
