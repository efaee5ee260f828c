//! The servers to connect to: the primary that Sentinels name, or the nodes of a cluster.

mod cache;
pub(super) mod cluster;
pub(super) mod sentinel;
pub(super) mod slot;
pub(super) mod slot_map;

pub(super) use self::cache::{PrimaryCache, SlotMapCache};
