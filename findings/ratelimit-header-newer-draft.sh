#!/usr/bin/env bash
# The parser of rate limit headers gives NaN for the form that the drafts have had since the eighth.
#
# Expected: `parseRateLimit` reads `RateLimit: "default";r=50;t=30`, or returns undefined, as it
# does when there is no such header.
# Happens: it returns an object whose numbers are NaN and whose date is invalid. Draft 7, with
# `limit=, remaining=, reset=`, is read.
# Matters: the object is truthy, `NaN <= 0` is false, and so a client that stops when nothing is
# left never stops. JSON makes the NaN null.
#
# Seen 2026-11-30: ratelimit-header-parser 0.1.0.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages ratelimit-header-parser@0.1.0
cat >client.mjs <<'JS'
import assert from 'node:assert';
import { parseRateLimit } from 'ratelimit-header-parser';

function parse(headers) {
  const info = parseRateLimit(new Headers(headers));
  console.log(headers, '->', info);
  return info;
}

assert.equal(parse({}), undefined);
assert.equal(parse({ ratelimit: 'limit=100, remaining=50, reset=30' }).remaining, 50);
const info = parse({ ratelimit: '"default";r=50;t=30' });
assert(Number.isNaN(info.limit) && Number.isNaN(info.remaining) && Number.isNaN(+info.reset));
JS
node client.mjs || changed "not what the head of this script says"
