//! Alerts: rules as data, a pure state machine over snapshots and ticks, and its task.
//!
//! ```text
//!     rule file -> rules -> task (a metric partition) -> alerts.v1 -> notifications
//!                           snapshots, ticks ->
//! ```
//! The way of a snapshot: [`task::Alerts`] (the fold) -> [`machine`] (the state of its series) -> a [`condition`] -> a
//! [`transition`]. It does not know stores, nor how metrics come about.

pub mod backtest;
mod codec;
mod condition;
mod convert;
mod error;
mod judge;
mod machine;
pub mod notify;
mod render;
mod rule;
mod rules;
mod scope;
mod series;
mod snapshot;
mod span;
pub mod task;
mod timers;
mod transition;
mod trial;

pub use error::{Error, Kind, Result};
pub use judge::Judge;
pub use render::shown;
pub use rule::MetricRules;
pub use rules::{Rules, ready};
pub use trial::{Outcome, Trials};

#[cfg(test)]
mod tests;
