#!/usr/bin/env bash
# urllib3's Retry(3) retries a 429 although no status was named, and waits however long it says.
#
# Expected: `Retry(3)` is about connections; statuses are retried if `status_forcelist` names them,
# and it is empty unless set.
# Happens: a 413, 429 or 503 with a Retry-After is retried all the same, after that time. Without
# the header the answer is handed over at once.
# Matters: the thread of a caller who was told "in ten minutes" sleeps for ten minutes in `get`,
# with no timeout, as `timeout` is that of one try; the caller's code never sees the 429. `Retry(3,
# respect_retry_after_header=False)` turns it off.
#
# Seen 2026-11-30: urllib3 2.8.0.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages urllib3==2.8.0
cat >client.py <<'PYTHON'
import http.server
import threading
import time

import urllib3


class Limited(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self):
        Limited.requests += 1
        self.send_response(429)
        if self.path == "/told":
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limited)
threading.Thread(target=server.serve_forever, daemon=True).start()


def get(path, **options):
    Limited.requests = 0
    begin = time.monotonic()
    try:
        status = urllib3.PoolManager(retries=urllib3.Retry(3, **options)).request(
            "GET", f"http://127.0.0.1:{server.server_port}{path}", timeout=0.5
        ).status
    except urllib3.exceptions.MaxRetryError as error:
        status = type(error).__name__
    seconds = round(time.monotonic() - begin)
    print(f"{path} {options}: {Limited.requests} requests in {seconds} s, {status}")
    return Limited.requests, seconds


assert get("/told") == (4, 3)
assert get("/untold") == (1, 0)
assert get("/told", respect_retry_after_header=False) == (1, 0)
PYTHON
python3 client.py || changed "not what the head of this script says"
