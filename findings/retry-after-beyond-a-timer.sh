#!/usr/bin/env bash
# A Retry-After of 30 days is waited for by one HTTP client of Node and ignored by two others.
#
# Expected: an HTTP client that honours Retry-After waits for as long as it says, or gives up if
# that is too long for it.
# Happens: Node's timers hold 2^31 - 1 milliseconds, 24.8 days. A longer wait fires after one
# millisecond. axios-retry and got send their retries at once, and only a warning of Node tells; ky,
# which looks at the limit, waits.
# Matters: a monthly quota that is used up, told honestly, is answered by a burst of requests. A
# limiter can tell less than the truth, or make sure that such retries are cheap.
#
# Seen 2026-11-30: axios-retry 4.5.0 (axios 1.21.1), got 14.6.6, ky 1.14.3.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages axios@1.21.1 axios-retry@4.5.0 got@14.6.6 ky@1.14.3
cat >clients.mjs <<'JS'
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import axios from 'axios';
import axiosRetry from 'axios-retry';
import got from 'got';
import ky from 'ky';

let requests = 0;
const server = http.createServer((request, response) => {
  requests += 1;
  response.writeHead(429, { 'Retry-After': '2592000' }).end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}/`;
process.on('warning', (warning) => console.log(`  Node warns: ${warning.name}`));

axiosRetry(axios, { retries: 3 });
const clients = {
  'axios-retry': () => axios.get(url),
  got: () => got(url),
  ky: () => ky(url),
};
const seen = {};
for (const [name, get] of Object.entries(clients)) {
  requests = 0;
  const outcome = await Promise.race([
    get().catch((error) => error.constructor.name),
    sleep(3000, 'still waiting'),
  ]);
  seen[name] = `${requests} requests, after 3 s at most: ${outcome}`;
  console.log(`${name}: ${seen[name]}`);
}
const same =
  seen['axios-retry'].startsWith('4 requests') && !seen['axios-retry'].includes('waiting') &&
  !seen.got.startsWith('1 requests') &&
  seen.ky.startsWith('1 requests') && seen.ky.endsWith('waiting');
process.exit(same ? 0 : 1);
JS
node --no-warnings clients.mjs || changed "not what the head of this script says"
