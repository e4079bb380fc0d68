//! Doors: accept, validate, append; ticks.
//!
//! Every door shares one path: [`event::parse`] turns hostile bytes into a [`proto::v1::Event`] or a [`Rejection`],
//! [`ticks::Schedule`] says what it is stamped with and which ticks come before it, [`door::Door`] appends both to the
//! log. Files ([`import`]) are stamped by the times in them, so that what is appended is a function of the rows, the
//! log's clock and the settings, never of batch sizes or restarts; [`http`] is stamped by the wall clock ([`live`]).
//! This crate does not know what an event means to a metric.

pub mod amend;
pub mod batch;
pub mod clock;
pub mod cloudevents;
mod cure;
pub mod currency;
mod decimal;
pub mod door;
mod encode;
mod error;
pub mod event;
mod files;
pub mod forms;
#[cfg(feature = "fuzzing")]
pub mod fuzz;
mod given;
pub mod guess;
pub mod http;
pub mod import;
mod json;
mod lines;
pub mod live;
pub mod mapping;
pub mod near;
mod number;
mod object;
pub mod outcome;
pub mod partition;
mod records;
mod render;
pub mod sort;
pub mod telemetry;
pub mod ticks;
mod time;
mod validate;

pub use error::{Error, Kind, Rejection, Result};
pub use time::{parse_rfc3339, render_rfc3339};

/// The topic that doors append to, without the configurable prefix.
pub const EVENTS: &str = "events.v1";

/// The topic of imports, without the configurable prefix.
pub const IMPORTS: &str = "imports.v1";

/// 1990-01-01T00:00:00Z: nothing before it is a customer event (setting `history_floor`).
pub const HISTORY_FLOOR_US: i64 = 631_152_000_000_000;
