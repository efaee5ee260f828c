//! RL end to end, on real servers.
//!
//! | file | holds |
//! | --- | --- |
//! | `commands` | the contract of the `RL.*` commands: replies, every error text, arity, expiry, `COMMAND` |
//! | `context` | other protocols, clusters, databases, paused clients, a bug |
//! | `describe` | what the commands say of themselves: flags, keys, docs, permissions, counts, events |
//! | `hostile` | odd values, odd payloads, full memory: the server lives and nothing foreign is touched |
//! | `clock` | a clock that steps, swings, and starts at the ends of time |
//! | `conformance` | one trace, equal answers and bit-equal states: bucket, in-process store, Lua, module |
//! | `permissions` | the Redis users of `docs/security.md`: enough for a front, and for nothing else |
//! | `privacy` | pseudonyms in place of keys, and the names of buckets |
//! | `access` | the front's typed access to the family, on every store |
//! | `atomicity` | many callers at once get exactly what is in the bucket, directly and through fronts |
//! | `durability` | restarts and replicas hold what the primary held; a denial writes nothing |
//! | `endurance` | a million calls on each path leave memory flat and nothing behind |
//! | `docs` | the examples of `docs/commands.md` and `docs/front.md` |
//! | `http` | the contract of `POST /check` |
//! | `family` | peek, take, refund, charge, reset, batches and the form for proxies; remembered denials |
//! | `headers` | the rate limit headers, as a library for structured fields reads them |
//! | `policies` | policy files: several limits, overrides, shadow mode, without Redis, reloading |
//! | `tokens` | who may ask what, about which keys |
//! | `openapi` | what the front says of itself: `/openapi.json` and `/docs` |
//! | `topologies` | the front over Sentinel, Cluster and TLS, and with passwords that change |
//! | `engines` | the front over Redis: with the module, without it, and when Redis changes or goes |
//! | `moves` | from the scripts to the module and back: no bucket is lost |
//! | `faults` | a network and a Redis that fail: what is promised meanwhile, and after |
//! | `pages` | the tests that `docs/security.md` and `docs/reliability.md` name, and the record of their runs |
//! | `cli` | `rl-server check`, `peek` and `reset`, against fronts and straight at Redis |
//! | `bench` | `rl-server bench`: exact counts, rates, ending early, what goes away |
//! | `links` | files, headings and scripts that the pages point to |
//! | `readme` | the README's tables of flags and subcommands |
//! | `metrics` | what `/metrics` says after a known story, and that no caller can grow it |
//! | `operators` | a listener of their own, and what `/admin/denied` says |
//! | `logs` | log lines as JSON, the ids of a request, and no key in any of them |
//! | `monitoring` | `docs/monitoring/` and `terraform/`: alert rules, dashboards and table of metrics against a live front |
//! | `lifecycle` | starting, readiness, draining |
//! | `scripts` | `scripts/demo`, `smoke` and `deploy`: what they show, and what they leave behind when they fail |
//! | `terraform` | `terraform/` against the front that it starts: settings and policies |
//! | `vm` | the start-up files of `terraform/modules/store-vm`: what they make serves fronts over TLS |
//! | `images` | what `server/Dockerfile`, `module/Dockerfile`, `compose.yaml` and `kubernetes/` make and start, without an engine |
//! | `proxies` | the configurations of `docs/proxies.md`, in real proxies |

mod access;
mod atomicity;
mod bench;
mod cli;
mod clock;
mod commands;
mod conformance;
mod context;
mod describe;
mod docs;
mod durability;
mod endurance;
mod engines;
mod family;
mod faults;
mod headers;
mod hostile;
mod http;
mod images;
mod lifecycle;
mod links;
mod logs;
mod metrics;
mod monitoring;
mod moves;
mod openapi;
mod operators;
mod pages;
mod permissions;
mod policies;
mod privacy;
mod proxies;
mod readme;
mod scripts;
mod terraform;
mod tokens;
mod topologies;
mod vm;
