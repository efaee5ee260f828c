//! RL end to end, on real servers.
//!
//! | file | contents |
//! | --- | --- |
//! | `commands` | contract of the `RL.*` commands: replies, every error text, sizes, expiry |
//! | `context` | other protocols, clusters, databases, paused clients, a panic |
//! | `describe` | the module in `COMMAND`, `INFO` and events: flags, keys, docs, counts |
//! | `unload` | `MODULE UNLOAD` is refused while something refers to the module's commands |
//! | `hostile` | odd numbers, values and payloads; full memory: the server lives |
//! | `clock` | a clock that steps, oscillates, and starts at the ends of time |
//! | `conformance` | one trace, equal to the bit in the bucket, memory, Lua and the module |
//! | `permissions` | the Redis users of `docs/security.md`: what a front needs, and nothing else |
//! | `privacy` | pseudonyms in place of keys, and the names of buckets |
//! | `access` | the operations of the store library, on every store |
//! | `embed` | the example of a service that embeds the store library |
//! | `atomicity` | many callers at once get exactly what a bucket holds |
//! | `durability` | restarts and replicas keep what the primary held; a denial writes nothing |
//! | `endurance` | a million calls on each path leave memory flat and no keys behind |
//! | `docs` | the examples of `docs/commands.md` and `docs/front.md` |
//! | `http` | contract of `POST /check` |
//! | `operations` | peek, take, refund, charge, reset, batches, proxies; the denial cache |
//! | `connections` | upgrade offers, silence, bodies that nobody reads, keep-alive; Java's HTTP client |
//! | `pipelining` | requests sent behind others: one at a time, none after `close`, whole heads only |
//! | `headers` | the rate limit headers, parsed by a library for structured fields |
//! | `policies` | policy files: several limits, overrides, shadow mode, `on_error`, reloading |
//! | `addresses` | policies by IP address: one bucket for an address or network, in every form |
//! | `tokens` | the rights of each token |
//! | `files` | files that hang or never end hold up neither a reload nor the end |
//! | `settings` | flags and variables, and the files that can be validated |
//! | `openapi` | `/openapi.json` and `/docs` |
//! | `topologies` | fronts over Sentinel, Cluster, TLS and Envoy, and with passwords that change |
//! | `engines` | fronts over Redis: with the module, without it, and when Redis changes or dies |
//! | `moves` | moves from the scripts to the module and back lose no bucket |
//! | `faults` | a network and a Redis that fail: the promises during a fault and after it |
//! | `neighbours` | large requests of one caller beside the checks of others |
//! | `pages` | the tests that `docs/` names, the record of their runs, and the maps of tests |
//! | `house` | dependencies of crates and files, retired names, `docs/ARCHITECTURE.md` |
//! | `cli` | `rl-server check`, `peek` and `reset`, against fronts and directly against Redis |
//! | `bench` | `rl-server bench`: exact counts, rates, interruption, lost connections |
//! | `links` | links, headings and scripts that the pages point to |
//! | `readme` | the README's tables of flags and subcommands |
//! | `metrics` | `/metrics` after known calls, and that no caller can add a series |
//! | `operators` | the admin listener, and `/admin/denied` |
//! | `logs` | log lines as JSON, the ids of a request, and no key in any of them |
//! | `monitoring` | alert rules, dashboards and table of metrics against a live front |
//! | `lifecycle` | starting, readiness, draining |
//! | `scripts` | `scripts/demo`, `smoke` and `deploy`, and what their failures leave behind |
//! | `terraform` | `terraform/` against a front: settings and policies |
//! | `unix_sockets` | fronts that reach Redis, and are reached, over Unix sockets; systemd's sockets |
//! | `vm` | the start-up files of `terraform/modules/store-vm` serve fronts over TLS |
//! | `images` | Dockerfiles, `compose.yaml` and `kubernetes/`, started without a container engine |
//! | `proxies` | the configurations of `docs/proxies.md`, in real proxies |

mod access;
mod addresses;
mod atomicity;
mod bench;
mod cli;
mod clock;
mod commands;
mod conformance;
mod connections;
mod context;
mod describe;
mod docs;
mod durability;
mod embed;
mod endurance;
mod engines;
mod faults;
mod files;
mod headers;
mod hostile;
mod house;
mod http;
mod images;
mod lifecycle;
mod links;
mod logs;
mod metrics;
mod monitoring;
mod moves;
mod neighbours;
mod openapi;
mod operations;
mod operators;
mod pages;
mod permissions;
mod pipelining;
mod policies;
mod privacy;
mod proxies;
mod readme;
mod scripts;
mod settings;
mod terraform;
mod tokens;
mod topologies;
mod unix_sockets;
mod unload;
mod vm;
