#!/usr/bin/env bash
# A HEAD request sent behind a POST takes the body from the answer to the POST.
#
# Expected: each answer is that of its own request (RFC 9112, section 9.3.2).
# Happens: actix-http decodes the HEAD while the handler waits for the body of the POST, and then
# answers the POST as if it were a HEAD: `content-length: 5`, and no body. A client takes the start
# of the next answer for it. With a GET in place of the HEAD all is well.
# Matters: a limiter is asked with POST by services and with HEAD by proxies, which may share
# connections. Let one request at a time reach the decoder, or send none behind another.
#
# Seen 2026-11-30: actix-web 4.18.1 with actix-http 3.20.0. Takes a minute of compiling, more on a
# busy machine.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "echo"
edition = "2021"

[dependencies]
actix-http = "=3.20.0"
actix-web = { version = "=4.18.1", default-features = false, features = ["macros"] }

[profile.dev]
debug = false
TOML
cat >src/main.rs <<'RUST'
//! Answers with the body of the request.
use actix_web::{App, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse().unwrap();
    HttpServer::new(|| App::new().default_service(web::to(|body: String| async { body })))
        .workers(1)
        .bind(("127.0.0.1", port))?
        .run()
        .await
}
RUST
cat >ask.py <<'PYTHON'
"""Sends a POST and another request in one write; prints the body of the answer to the POST."""
import socket
import sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
host = "Host: localhost\r\n"
connection.sendall(
    f"POST / HTTP/1.1\r\n{host}Content-Length: 5\r\n\r\nhello"
    f"{sys.argv[2]} / HTTP/1.1\r\n{host}\r\n".encode()
)
answers = b""
while answers.count(b"HTTP/1.1 200 OK\r\n") < 2:
    answers += connection.recv(65536)
head, rest = answers.split(b"\r\n\r\n", 1)
assert b"content-length: 5" in head, head
print(rest.split(b"HTTP/1.1")[0].decode())
PYTHON
CARGO_TARGET_DIR=target cargo build --quiet >cargo.log 2>&1 || unavailable actix-web 4.18.1
cargo tree --prefix none --depth 1 | sed -n 's/^actix-/version: &/p'

port=$(free_port)
target/debug/echo "$port" &
wait_for_port "$port"
for method in GET HEAD; do
  body=$(python3 ask.py "$port" "$method")
  echo "POST with a $method behind it: content-length: 5, and the body: '$body'"
  case $method in
    GET) [[ $body == hello ]] || changed "no body before a GET either" ;;
    HEAD) [[ -z $body ]] || changed "the body is there" ;;
  esac
done
