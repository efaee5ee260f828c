#!/usr/bin/env bash
# orval's client parses a text/plain answer as JSON.
#
# Expected: an operation that answers `text/plain` with a string gives its caller the string.
# Happens: the function made for fetch calls `JSON.parse` on the text, whatever the document says of
# its type, and throws on all but digits and the like.
# Matters: what every server has in text, the metrics first, cannot be read with the generated
# client, though its types promise a string.
#
# Seen 2026-11-30: orval 7.13.2 with TypeScript 5.9.3.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages orval@7.13.2 typescript@5.9.3
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "Limiter", "version": "1"},
  "paths": {
    "/metrics": {
      "get": {
        "operationId": "metrics",
        "responses": {
          "200": {
            "description": "Metrics",
            "content": {"text/plain": {"schema": {"type": "string"}}}
          }
        }
      }
    }
  }
}
JSON
npx orval --input openapi.json --output made.ts --client fetch >orval.log 2>&1
npx tsc --target es2022 --module es2022 --moduleResolution bundler made.ts
mv made.js made.mjs
grep -n 'data: string' made.ts || changed "the type is no string"
grep -n 'JSON.parse' made.ts || changed "no JSON.parse"
cat >client.mjs <<'JS'
import { metrics } from './made.mjs';

globalThis.fetch = async () =>
  new Response('# HELP checks Checks.\n', { headers: { 'Content-Type': 'text/plain' } });
try {
  console.log(await metrics());
  process.exit(1);
} catch (error) {
  console.log(`metrics() throws ${error.name}: ${error.message.split('\n')[0]}`);
}
JS
node client.mjs || changed "the answer is read as text"
