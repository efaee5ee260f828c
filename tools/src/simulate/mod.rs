//! `rl-server simulate`: four algorithms under one limit and one load, side by side, to show how
//! each treats bursts.
//!
//! The token bucket is the one that serves, not a copy; time is passed to it. Nothing here reads a
//! clock, so equal arguments give equal output.

mod algorithm;
mod command;
mod load;
mod plot;
mod report;
mod simulation;
mod timeline;

pub use self::command::{SimulateArgs, run};

#[cfg(test)]
mod tests;
