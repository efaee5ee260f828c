//! Redis and the network as they are in production: what is promised while they fail, and after.
//!
//! Each story has a front under load and one fault, and `rig` and `told` check in each that everybody was answered in
//! time and about their own bucket, that no limit was exceeded, that no check was made twice, that Redis was
//! not stormed with connections, and that all was normal again within 2 s.
//!
//! | file | what fails |
//! | --- | --- |
//! | `network` | latency, black holes, broken and garbled replies, refused connections, a name that leads elsewhere |
//! | `redis` | a Redis that hangs, is busy, full, read-only, or turns the front away |
//! | `disk` | a Redis that cannot write its file, or takes long to read it |
//! | `crash` | processes killed: Redis with and without a file, one of two fronts |
//! | `failover` | a primary killed: what its replica had not heard of, and Sentinels, again and again |
//! | `outage` | no Redis at all: what each `on_error` admits, across two fronts |
//! | `split_brain` | the network between two sides, each with a front and a Redis that takes writes |
//! | `memory` | more checks than a slow Redis answers: what a front holds of them, and what it sheds |
//! | `callers` | ten thousand idle callers, and callers who do not read |

mod callers;
mod crash;
mod disk;
mod failover;
mod memory;
mod names;
mod network;
mod outage;
mod redis;
mod rig;
mod split_brain;
mod told;
