#!/usr/bin/env bash
# nginx and Caddy open a new connection for each question to a limiter that answers with a body.
#
# Expected: with `keepalive` in nginx's upstream, and in Caddy by default, the questions of
# `auth_request` and of `forward_auth` share a few connections.
# Happens: neither reads the body of the answer, so the connection cannot be used again: 20
# requests, 20 connections, without a word in any log. A question by HEAD, whose answer has no body,
# is asked on one connection.
# Matters: a limiter is asked for every request, and most of its work becomes connections. Let the
# proxy ask with HEAD, or answer without a body.
#
# Seen 2026-11-30: nginx 1.22.1 and Caddy 2.6.2 (Debian).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

debian_package nginx 1.22.1
debian_package caddy 2.6.2
cat >limiter.py <<'PYTHON'
"""Allows everything, and tells at /connections how many there were since it was last asked."""
import http.server


class Limiter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def handle(self):
        Limiter.connections += 1
        super().handle()

    def do_GET(self):
        text = '{"allowed":true}'
        if self.path == "/connections":
            text = str(Limiter.connections - 1)
            Limiter.connections = 0
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limiter)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 limiter.py >limiter.port 2>limiter.log &
until [[ -s limiter.port ]]; do sleep 0.1; done
limiter=127.0.0.1:$(<limiter.port)

# tell NAME PORT: makes 20 requests and sets `connections` to those that the limiter saw.
tell() {
  wait_for_port "$2"
  curl --silent "$limiter/connections" >/dev/null
  for ((request = 0; request < 20; request++)); do
    [[ $(curl --silent "127.0.0.1:$2/") == application ]]
  done
  connections=$(curl --silent "$limiter/connections")
  echo "$1: 20 requests, $connections connections to the limiter"
}

# nginx METHOD PORT
nginx() {
  mkdir "nginx-$1"
  cat >"nginx-$1/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream limiter {
    server $limiter;
    keepalive 8;
  }
  server {
    listen 127.0.0.1:$2;
    location / {
      auth_request /limiter;
      try_files /none @application;
    }
    location @application { return 200 application; }
    location = /limiter {
      internal;
      proxy_pass http://limiter/check;
      proxy_method $1;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
}
CONF
  exec debian/usr/sbin/nginx -p "nginx-$1" -c nginx.conf -e error.log
}

# caddy METHOD PORT: what `forward_auth` stands for, with the method to choose.
caddy() {
  cat >"Caddyfile-$1" <<CONF
{
  admin off
  auto_https off
}
http://127.0.0.1:$2 {
  reverse_proxy $limiter {
    method $1
    rewrite /check
    @good status 2xx
    handle_response @good {
      respond application
    }
  }
}
CONF
  export HOME=$PWD # it writes there
  exec debian/usr/bin/caddy run --adapter caddyfile --config "Caddyfile-$1" 2>"caddy-$1.log"
}

for proxy in nginx caddy; do
  for method in GET HEAD; do
    port=$(free_port)
    "$proxy" "$method" "$port" &
    tell "$proxy asking with $method" "$port"
    if [[ $method == GET ]]; then
      ((connections == 20)) || changed "$proxy uses connections again"
    else
      ((connections <= 2)) || changed "$proxy does not use connections again"
    fi
  done
done
