#!/usr/bin/env bash
# nginx and Caddy ask a client for the body of a request that the limiter has denied.
#
# Expected: a client that sends `Expect: 100-continue` is denied before it sends its body; that is
# what the header is for. The limiter is asked without a body.
# Happens: nginx says the 403 of `auth_request` at once, but `100 Continue` before a 429 that
# `error_page` and `return` make of it. Caddy's `forward_auth` passes `Expect` on to the limiter,
# and its `100 Continue` on to the client; if it is told not to, it denies at once.
# Matters: to be denied costs a client, and the link, the whole upload.
#
# Seen 2026-11-30: nginx 1.22.1 and Caddy 2.6.2 (Debian).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

debian_package nginx 1.22.1
debian_package caddy 2.6.2
cat >limiter.py <<'PYTHON'
"""Denies everything, after a `100 Continue` to those who wait for one, as HTTP servers do."""
import http.server


class Limiter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limiter)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 limiter.py >limiter.port 2>limiter.log &
until [[ -s limiter.port ]]; do sleep 0.1; done
limiter=127.0.0.1:$(<limiter.port)
nginx=$(free_port)
caddy=$(free_port)
cured=$(free_port)

cat >nginx.conf <<CONF
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
  server {
    listen 127.0.0.1:$nginx;
    client_max_body_size 0;
    location / {
      auth_request /limiter;
      try_files /none =404;
    }
    location /429/ {
      auth_request /limiter;
      error_page 403 = @limited;
      try_files /none =404;
    }
    location @limited { return 429 denied; }
    location = /limiter {
      internal;
      proxy_pass http://$limiter/check;
      proxy_pass_request_headers off;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
}
CONF
debian/usr/sbin/nginx -p . -c nginx.conf -e error.log &
cat >Caddyfile <<CONF
{
  admin off
  auto_https off
}
http://127.0.0.1:$caddy {
  forward_auth $limiter {
    uri /check
  }
  respond application
}
http://127.0.0.1:$cured {
  forward_auth $limiter {
    uri /check
    header_up -Expect
  }
  respond application
}
CONF
HOME=$PWD debian/usr/bin/caddy run --adapter caddyfile --config Caddyfile 2>caddy.log &
for port in "$nginx" "$caddy" "$cured"; do wait_for_port "$port"; done

# tell EXPECTED NAME PORT [PATH]: announces 5 bytes, sends none, and reads the first answer.
tell() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$3"
  printf '%s\r\n' "POST ${4-/} HTTP/1.1" 'Host: 127.0.0.1' 'Expect: 100-continue' \
    'Content-Length: 5' '' >&3
  read -r -t 20 answer <&3
  exec 3>&-
  echo "$2: ${answer%$'\r'}"
  [[ $answer == *" $1 "* ]] || changed "$2 is not $1"
}

tell 403 'nginx, denied with 403' "$nginx"
tell 100 'nginx, denied with 429' "$nginx" /429/
tell 100 'Caddy, denied' "$caddy"
tell 403 'Caddy that keeps Expect to itself, denied' "$cured"
