#!/usr/bin/env bash
# openapi-typescript makes a field of a request required because it has a default.
#
# Expected: `cost: {type: integer, default: 1}`, not among the `required`, may be left out: that is
# what the default is for.
# Happens: the type is `cost: number`, so a program that leaves it out does not compile. The default
# is read as what an answer always has, in requests as well. A field without a default is `cost?:
# number`.
# Matters: the shortest call of a limiter, a key alone, is an error in TypeScript. Tell the default
# in the description only, or have callers set `--default-non-nullable false`.
#
# Seen 2026-11-30: openapi-typescript 7.13.0 with TypeScript 5.9.3.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages openapi-typescript@7.13.0 typescript@5.9.3
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "Limiter", "version": "1"},
  "paths": {},
  "components": {
    "schemas": {
      "Check": {
        "type": "object",
        "required": ["key"],
        "properties": {
          "key": {"type": "string"},
          "cost": {"type": "integer", "default": 1},
          "capacity": {"type": "integer"}
        }
      }
    }
  }
}
JSON
cat >check.ts <<'TS'
import type { components } from './types';

export const check: components['schemas']['Check'] = { key: 'user:1' };
TS

# tell OPTION...: makes the types and compiles check.ts; sets `cost` and `errors`.
tell() {
  npx openapi-typescript openapi.json --output types.ts "$@" >openapi-typescript.log 2>&1
  cost=$(grep -oE 'cost\??: number' types.ts)
  errors=$(npx tsc --noEmit --strict check.ts || true)
  echo "${*:-by default}: $cost; {key: 'user:1'}: ${errors:-compiles}"
  grep -q 'capacity?: number' types.ts
}

tell
[[ $cost == 'cost: number' && $errors == *"'cost' is missing"* ]] || changed "cost is optional"
tell --default-non-nullable false
[[ $cost == 'cost?: number' && -z $errors ]] || changed "the option does not help"
