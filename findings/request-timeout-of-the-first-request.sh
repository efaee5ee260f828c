#!/usr/bin/env bash
# The time limit for request heads covers only the first request of a connection.
#
# Expected: with `client_request_timeout` of one second, "the time for which the server waits for
# the request head", half a head gets 408 after a second.
# Happens: the first of a connection does. On a connection that has had one answer, half a head is
# waited for without any limit, not even that of `keep_alive`, which its first byte switches off.
# Matters: connections are what a limiter that faces callers has a limit of, and this one holds each
# for as long as it likes. Set a timer of your own, from the first byte of each head.
#
# Seen 2026-11-30: actix-web 4.18.1 with actix-http 3.20.0. Takes a minute of compiling, more on a
# busy machine.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "hello"
edition = "2021"

[dependencies]
actix-http = "=3.20.0"
actix-web = { version = "=4.18.1", default-features = false, features = ["macros"] }

[profile.dev]
debug = false
TOML
cat >src/main.rs <<'RUST'
//! Says hello, with a second for each request head and two for idle connections.
use std::time::Duration;

use actix_web::{App, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    HttpServer::new(|| App::new().default_service(web::to(|| async { "hello" })))
        .workers(1)
        .client_request_timeout(Duration::from_secs(1))
        .keep_alive(Duration::from_secs(2))
        .bind(("127.0.0.1", port))?
        .run()
        .await
}
RUST
cat >ask.py <<'PYTHON'
"""Sends so many requests and half a head, and prints what comes within eight seconds."""
import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=8)
for _ in range(int(sys.argv[2])):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = b""
    while not answer.endswith(b"hello"):
        answer += connection.recv(65536)
connection.sendall(b"GET / HTTP/1.1\r\nHo")
try:
    print((connection.recv(65536).decode() or "closed").splitlines()[0])
except TimeoutError:
    print("still open")
PYTHON
CARGO_TARGET_DIR=target cargo build --quiet >cargo.log 2>&1 || unavailable actix-web 4.18.1
cargo tree --prefix none --depth 1 | sed -n 's/^actix-/version: &/p'

port=$(free_port)
target/debug/hello "$port" &
wait_for_port "$port"
first=$(python3 ask.py "$port" 0)
echo "half a head as the first: $first"
[[ $first == 'HTTP/1.1 408 Request Timeout' ]] || changed "not even the first is limited"
second=$(python3 ask.py "$port" 1)
echo "half a head after one answer, 8 seconds later: $second"
[[ $second == 'still open' ]] || changed "the second is limited too"
