//! RL end to end, on real servers.
//!
//! | file | holds |
//! | --- | --- |
//! | `commands` | the contract of the `RL.*` commands: replies, every error text, arity, expiry, `COMMAND` |
//! | `conformance` | one trace, equal answers and bit-equal states: bucket, in-process store, Lua, module |
//! | `atomicity` | many callers at once get exactly what is in the bucket, directly and through fronts |
//! | `durability` | restarts and replicas hold what the primary held; a denial writes nothing |
//! | `http` | the contract of `POST /check` |
//! | `engines` | the front over Redis: with the module, without it, and when Redis changes or goes |
//! | `lifecycle` | starting, readiness, draining |

mod atomicity;
mod commands;
mod conformance;
mod durability;
mod engines;
mod http;
mod lifecycle;
