//! Buckets in Redis: each worker asks over its own supervised link, through the module or through
//! Lua.

mod backoff;
mod engine;
mod fault;
mod link;
mod silence;

pub use link::Link;
