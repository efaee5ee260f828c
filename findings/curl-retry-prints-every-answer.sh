#!/usr/bin/env bash
# curl --retry prints the refused answers too, and sends a POST again.
#
# Expected: with `--retry 3` only the last answer is the output, and a POST, which may have been
# carried out, is not repeated.
# Happens: a 429 is retried after its Retry-After, POST as well; the body of each answer goes to
# standard output, one behind the other. To a file, with --output, only the last is written.
# Matters: a script that pipes an API's JSON to a parser breaks only while it is limited, on two
# documents in a row.
#
# Seen 2026-11-30: curl 7.88.1 (Debian).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

debian_package curl 7.88.1
debian_package libcurl4 7.88.1
cat >server.py <<'PYTHON'
"""Denies the first of two requests, and tells which one it was and by which method."""
import http.server


class Limited(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Limited.requests += 1
        self.send_response(429 if Limited.requests % 2 else 200)
        self.send_header("Retry-After", "1")
        self.end_headers()
        denied = "true" if Limited.requests % 2 else "false"
        self.wfile.write(f'{{"method":"{self.command}","denied":{denied}}}\n'.encode())

    do_POST = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limited)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
python3 server.py >port 2>server.log &
until [[ -s port ]]; do sleep 0.1; done
url=127.0.0.1:$(<port)

# tell EXPECTED OPTION...
tell() {
  local seen
  : >output
  seen=$(LD_LIBRARY_PATH=$(echo debian/usr/lib/*-linux-gnu) debian/usr/bin/curl --silent \
    --retry 3 "${@:2}" "$url")
  seen+=$(<output)
  echo "curl --retry 3 ${*:2}:"
  echo "$seen"
  [[ $seen == "$1" ]] || changed "not $1"
}

tell '{"method":"GET","denied":true}
{"method":"GET","denied":false}'
tell '{"method":"POST","denied":true}
{"method":"POST","denied":false}' --data x
tell '{"method":"GET","denied":false}' --output output
