//! Notifications: from `alerts.v1` to people and to other systems.
//!
//! ```text
//!   alerts.v1 ------------> +----------+ -> Delivery -> kind (a request) -> transport -> the receiver
//!   alert-actions.v1 -----> | Notifier |                                        |
//!   notifications.v1 <----> +----------+ <----- delivered | failed -------------+
//!        marks                          dead letters -> dead-letters.v1
//! ```
//! Invariants: the state is a fold over the three topics; a message is marked before it is sent and after it is delivered,
//! so each is delivered at least once, with an id that stays the same; the end of an alert never comes before its firing.
//! It does not know rules, nor stores.

pub mod action;
mod address;
mod calendar;
pub mod config;
mod error;
mod group;
mod kind;
mod matcher;
mod message;
mod notifier;
mod secret;
mod show;
pub mod telemetry;
mod template;
mod transport;
mod worker;

pub use config::{Config, Mistake};
pub use error::Error;
pub use group::{Failure, GroupId};
pub use matcher::{Labels, Matcher};
pub use notifier::{Delivery, Notifier};
pub use secret::Secret;
pub use transport::post;
pub use worker::{Worker, test};

/// What people do about alerts.
pub const TOPIC_ACTIONS: &str = "alert-actions.v1";
/// What receivers were sent.
pub const TOPIC_MARKS: &str = "notifications.v1";
