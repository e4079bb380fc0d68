//! The stages: accounts (one task a partition of `events.v1`) and rollup (one a partition of
//! `partials.v1`). They meet in the log and never import each other's state.
//!
//! Invariants: everything that they publish is a function of their input; the pure part is
//! `processor-core`, here is only what reads, converts, keeps and publishes.

pub mod account;
pub mod convert;
pub mod explain;
pub mod outcomes;
mod pending;
pub mod replay;
pub mod rollup;
pub mod telemetry;
pub mod topics;
#[cfg(test)]
mod vocabulary;
pub mod wire;
