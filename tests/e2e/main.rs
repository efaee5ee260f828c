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
//! | `access` | the front's typed access to the family, on every store |
//! | `atomicity` | many callers at once get exactly what is in the bucket, directly and through fronts |
//! | `durability` | restarts and replicas hold what the primary held; a denial writes nothing |
//! | `endurance` | a million calls on each path leave memory flat and nothing behind |
//! | `docs` | the examples of `docs/commands.md` |
//! | `http` | the contract of `POST /check` |
//! | `openapi` | what the front says of itself: `/openapi.json` and `/docs` |
//! | `engines` | the front over Redis: with the module, without it, and when Redis changes or goes |
//! | `lifecycle` | starting, readiness, draining |

mod access;
mod atomicity;
mod clock;
mod commands;
mod conformance;
mod context;
mod describe;
mod docs;
mod durability;
mod endurance;
mod engines;
mod hostile;
mod http;
mod lifecycle;
mod openapi;
