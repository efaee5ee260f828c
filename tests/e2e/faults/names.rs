//! Host names that resolve slowly.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rl_tests::{Front, Setup, eventually, server_path, skip};
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

/// A program that sees `file` at `place`. No other program does.
pub(super) fn with_file(file: &Path, place: &str, program: &str) -> Command {
    let mut command = Command::new("unshare");
    let mount = format!(r#"mount --bind "$0" {place} && exec "$@""#);
    command.args(["--mount", "sh", "-c", &mount]).arg(file).arg(program);
    command
}

pub(super) fn is_permitted(mut with_names: Command) -> bool {
    with_names.status().is_ok_and(|status| status.success())
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
    if !is_permitted(with_names("true")) {
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
    command.args(["--listen", "127.0.0.1:0", "--store", &store, "--deadline-ms", "1000"]);
    let front = Front::launch(command);
    eventually("the name is resolved all the same", SOON, || front.links() > 0);
    assert!(
        front.log().contains("no answer in time"),
        "an attempt does not wait that long: {}",
        front.log()
    );
}
