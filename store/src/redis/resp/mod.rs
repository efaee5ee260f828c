//! The connection to a server: RESP2 over a socket, plain or with TLS.
//!
//! From the ground up: [`dns`], [`addresses`] and [`tls`], [`socket`] over them, [`encode`] and [`decode`] for
//! commands and [`reply`]s, [`pending`] commands, the [`connection`] that joins them, and the
//! [`login`] on it.

pub(super) mod addresses;
pub(super) mod connection;
pub(super) mod decode;
mod dns;
pub(super) mod encode;
#[cfg(fuzzing)]
pub mod fuzzing;
mod login;
mod pending;
pub(super) mod reply;
mod socket;
pub(super) mod tls;
