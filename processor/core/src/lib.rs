//! The pure engine: catalog, lifecycles, facts, slices, windows.
//!
//! Invariants: no clock, no randomness, no I/O, no floats in state; state is a function of events
//! and ticks. It depends on none of the other crates and knows neither the log nor storage nor the
//! wire: the stages in crate `processor` convert at the edge.

pub mod account;
pub mod aggregate;
pub mod calendar;
pub mod catalog;
pub mod codec;
pub mod currency;
pub mod engine;
pub mod event;
pub mod fold;
pub mod hot;
pub mod lifecycle;
pub mod map;
pub mod plan;
pub mod projection;
pub mod rollup;
pub mod score;
pub mod series;
pub mod settings;
pub mod shown;
pub mod usual;
pub mod vocabulary;

pub use ::expr;
pub use expr::rational;
