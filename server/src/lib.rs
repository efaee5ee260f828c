//! The front of RL: it turns an HTTP request into one question for a token bucket, and asks a store.
//!
//! A request falls through the modules in this order and never climbs back: [`app`] (serve, drain) →
//! [`api`] (HTTP and JSON) → [`limiter`] (which limit; ask in time, or decide without Redis) →
//! [`policy`], [`names`] and [`denials`] (what is known), [`store`] (in-process, or Redis). Beside them, on the
//! ground, stand [`settings`], [`reload`], [`access`], [`metrics`], [`offenders`], [`status`] and [`telemetry`].
//!
//! [`mod@bench`] (load a front, or Redis), [`client`] (ask one) and [`simulate`] are programs of their own under the same name.

#![forbid(unsafe_code)]

pub mod access;
pub mod api;
pub mod app;
pub mod bench;
pub mod client;
pub mod denials;
pub mod limiter;
pub mod metrics;
pub mod names;
pub mod offenders;
pub mod policy;
pub mod reload;
pub mod settings;
pub mod simulate;
pub mod status;
pub mod store;
pub mod telemetry;
