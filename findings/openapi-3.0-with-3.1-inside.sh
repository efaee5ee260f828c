#!/usr/bin/env bash
# A document converted down to OpenAPI 3.0 still has numbers that 3.0 does not allow.
#
# Expected: openapi-down-convert takes 3.1 and writes valid 3.0.3.
# Happens: 3.1's `exclusiveMinimum: 0` stays a number, where 3.0 has `minimum: 0` with a boolean
# `exclusiveMinimum: true`. The nullable type beside it is converted.
# Matters: "more than 0" is what the rates and capacities of limits are, and the tools that the
# conversion is made for refuse the document. `minimum` with the smallest number that is allowed
# says the same in both.
#
# Seen 2026-11-30: @apiture/openapi-down-convert 0.14.2, read with openapi-spec-validator 0.9.0.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

npm_packages @apiture/openapi-down-convert@0.14.2
python_packages openapi-spec-validator==0.9.0
cat >openapi.json <<'JSON'
{
  "openapi": "3.1.0",
  "info": {"title": "Limiter", "version": "1"},
  "paths": {},
  "components": {
    "schemas": {
      "Limit": {
        "type": "object",
        "properties": {
          "rate": {"type": "number", "exclusiveMinimum": 0},
          "retry_after": {"type": ["integer", "null"]}
        }
      }
    }
  }
}
JSON
python3 -m openapi_spec_validator openapi.json
npx openapi-down-convert --input openapi.json --output down.json
grep -E '"(openapi|exclusiveMinimum|nullable)"' down.json
grep -q '"openapi": "3.0.3"' down.json || changed "another version"
grep -q '"nullable": true' down.json || changed "the nullable type is not converted"
grep -q '"exclusiveMinimum": 0' down.json || changed "exclusiveMinimum is converted"
if python3 -m openapi_spec_validator down.json >validator.log 2>&1; then
  changed "the validator takes it"
fi
echo "the validator: $(head -n 1 validator.log)"
