//! Redis and the network as they are in production: the promises during a fault and after it.
//!
//! Each test has a front under load and one fault. Afterwards it checks that every answer came in
//! time and was about its own bucket, that no limit was exceeded, that no check was charged twice,
//! that Redis was not stormed with connections, and that all was normal again within 2 s.
//!
//! | file | contents |
//! | --- | --- |
//! | `rig` | a front under load, a proxy and a Redis; runs a fault |
//! | `aftermath` | what clients saw of a fault, checked against the promises |
//! | `network` | latency, black holes, broken and garbled replies, refused connections |
//! | `latency` | round trips that take most of the deadline |
//! | `names` | a name that resolves slowly, or to a silent address first |
//! | `redis` | a Redis that hangs, is busy, full, read-only, or turns the front away |
//! | `refusals` | what a front says of a Redis that answers and refuses, and of an idle one |
//! | `disk` | a Redis that cannot write its file, or takes long to read it |
//! | `crash` | killed processes: Redis with and without a file, one of two fronts |
//! | `failover` | a killed primary: its replica lags behind; Sentinels replace it repeatedly |
//! | `outage` | no Redis at all: what each `on_error` admits, across two fronts |
//! | `split_brain` | a network cut in two, each side with a front and a writable Redis |
//! | `memory` | more checks or keys than there is room for: what a front holds, and sheds |
//! | `callers` | ten thousand idle callers, and callers that do not read |

mod aftermath;
mod callers;
mod crash;
mod disk;
mod failover;
mod latency;
mod memory;
mod names;
mod network;
mod outage;
mod redis;
mod refusals;
mod rig;
mod split_brain;
