#!/usr/bin/env bash
# nginx refuses an upload because the location that asks the limiter has a body limit of its own.
#
# Expected: `client_max_body_size 5m` in the location of the application lets 2 MiB through; the
# location of `auth_request`, with `proxy_pass_request_body off`, never sees a body.
# Happens: the question is measured by the length of the whole request against its own location's
# limit, 1 MiB by default. It fails, and the upload is answered 500; only the error log tells why.
# Matters: the limiter seems to break uploads, or, where its failures let requests pass, does not
# limit them at all. `client_max_body_size 0` where it is asked cures it.
#
# Seen 2026-11-30: nginx 1.22.1 (Debian).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

debian_package nginx 1.22.1
chmod 755 . # for the temporary files of the worker, which is another user if root runs this
port=$(free_port)
application=$(free_port)
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
    listen 127.0.0.1:$application;
    client_max_body_size 0;
    return 200 uploaded;
  }
  server {
    listen 127.0.0.1:$port;
    location /default/ {
      client_max_body_size 5m;
      auth_request /limiter-default;
      proxy_pass http://127.0.0.1:$application;
    }
    location = /limiter-default {
      internal;
      proxy_pass http://127.0.0.1:$application;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
    location /unlimited/ {
      client_max_body_size 5m;
      auth_request /limiter-unlimited;
      proxy_pass http://127.0.0.1:$application;
    }
    location = /limiter-unlimited {
      internal;
      client_max_body_size 0;
      proxy_pass http://127.0.0.1:$application;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
}
CONF
debian/usr/sbin/nginx -p . -c nginx.conf -e error.log &
wait_for_port "$port"
head -c 2097152 /dev/zero >upload

# tell EXPECTED PATH
tell() {
  local status
  status=$(curl --silent --output /dev/null --write-out '%{http_code}' --data-binary @upload \
    --header 'Expect:' "127.0.0.1:$port$2")
  echo "2 MiB to $2: $status"
  [[ $status == "$1" ]] || changed "$2 is not $1"
}

tell 500 /default/
grep -o 'client intended.*, request' error.log
tell 200 /unlimited/
