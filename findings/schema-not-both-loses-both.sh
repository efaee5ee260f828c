#!/usr/bin/env bash
# A schema that says "not both of these two" makes typify leave out both.
#
# Expected: `not: {required: [policy, capacity]}` forbids the two together; the Rust type has both
# as options, at worst without the rule.
# Happens: the type has neither, without a warning, and so has the client that progenitor makes with
# typify. Without the `not` both are there.
# Matters: "a policy by name, or limits of one's own" is how a limiter's question is said in JSON
# Schema, and the client made of it compiles and can ask neither. Put the rule in the description.
#
# Seen 2026-11-30: typify 0.8.0. Takes half a minute of compiling, more on a busy machine.
set -euo pipefail
# shellcheck source=/dev/null
. "$(dirname "$0")/common.bash"

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "generate"
edition = "2021"

[dependencies]
serde_json = "1"
typify = { version = "=0.8.0", default-features = false }

[profile.dev]
debug = false
TOML
cat >src/main.rs <<'RUST'
//! Prints the fields of the Rust type for the schema on standard input.
fn main() {
    let schema = serde_json::from_reader(std::io::stdin()).unwrap();
    let mut types = typify::TypeSpace::default();
    let id = types.add_root_schema(schema).unwrap().unwrap();
    let made = types.get_type(&id).unwrap();
    let typify::TypeDetails::Struct(made) = made.details() else { panic!("no struct") };
    let fields: Vec<_> = made.properties().map(|(name, _)| name).collect();
    println!("{}", fields.join(" "));
}
RUST
CARGO_TARGET_DIR=target cargo build --quiet >cargo.log 2>&1 || unavailable typify 0.8.0
echo "version: $(cargo tree --depth 1 --prefix none | grep '^typify ')"

# tell REST: the rest of the schema; sets `fields`.
tell() {
  fields=$(target/debug/generate <<JSON
{
  "title": "Check",
  "type": "object",
  "properties": {
    "key": {"type": "string"},
    "policy": {"type": "string"},
    "capacity": {"type": "number"}
  },
  "required": ["key"]$1
}
JSON
  )
  echo "${1:-without a not}: fields: $fields"
}

tell ''
[[ $fields == 'capacity key policy' ]] || changed "fields are missing without it"
tell ', "not": {"required": ["policy", "capacity"]}'
[[ $fields == key ]] || changed "the fields are there"
