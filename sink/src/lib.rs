//! From the metric topics outwards: snapshots and alerts to stores ([`Writer`]).
//!
//! It does not know how snapshots come about, nor who reads the store.

pub mod convert;
mod error;
mod reader;
pub mod telemetry;
mod writer;

pub use error::{Error, Kind, Result};
pub use writer::{GROUP, Writer};
