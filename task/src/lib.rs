//! A task: a fold over one partition of a topic, with its state, position, commits and recovery.
//!
//! Account stage, rollup stage and alerts are folds; all that they share is here. Invariants:
//! - a commit lies on an instant and holds whole instants; outputs and consumer offsets go first,
//!   in one commit of the log, state second, in one `WriteBatch` with `next_offset`. State may trail
//!   by many commits, so R (offset in the state) <= G (the group's committed offset);
//! - one recovery path ([`part`]) serves start, crash, rebalance and rebuild: read R, fetch G, replay
//!   [R, G) with outputs suppressed, then live;
//! - a failed write stops the worker; its tasks are reopened from disk, never repaired in memory.
//!
//! A [`Worker`] is a thread with one consumer and one producer; it runs the tasks of the partitions
//! that it was told, or that its group gives it. It does not know what is folded.

use eventlog::{Output, Stored};

mod cache;
mod change;
pub mod checkpoint;
pub mod dead;
mod error;
mod home;
mod part;
mod standby;
pub mod state;
pub mod telemetry;
mod worker;

pub use cache::Cache;
pub use change::{Changes, changed_stages, found};
pub use error::{Error, Kind, Result};
pub use home::{Host, Policy};
pub use part::state_group;
pub use standby::Standby;
pub use state::{Batch, Lent, State};
pub use worker::{Config, Input, Open, Partitions, Status, Worker};

/// What a fold does with records. Everything that it does is a function of its state and the
/// records; outputs belong to instants.
pub trait Fold: Send {
    /// Tables (column families) of the state, beside the task's own.
    const TABLES: &'static [&'static str];

    /// Applies records in order, and appends the outputs of each instant that closes; with `pause`
    /// it returns after the first that does.
    ///
    /// # Errors
    /// When state cannot be read or is damaged; the worker stops.
    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress>;

    /// What the first change will bring, before any: from here on the fold takes note of records, and publishes nothing. A
    /// fold whose stage has no [`Changes`] is never asked.
    ///
    /// # Errors
    /// When the body does not decode.
    fn prepare(&mut self, _body: &[u8], _state: &State) -> Result<()> {
        Ok(())
    }

    /// Something else holds from here on, as `body` says; what that brings about is published. The state on disk is as of
    /// here. A fold whose stage has no [`Changes`] is never asked.
    ///
    /// # Errors
    /// When the body does not decode, or the state cannot be read.
    fn change(&mut self, _body: &[u8], _state: &State, _outputs: &mut Vec<Output>) -> Result<()> {
        Ok(())
    }

    /// Writes everything that changed since the last flush. Called with whole instants only.
    ///
    /// # Errors
    /// When state cannot be read.
    fn flush(&mut self, state: &State, batch: &mut Batch<'_>) -> Result<()>;

    /// Roughly how much changed state is held in memory, in bytes.
    fn dirty(&self) -> usize;
}

/// How far [`Fold::apply`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records applied.
    pub applied: usize,
    /// Offset after the last record that closed an instant, if any did.
    pub closed: Option<u64>,
}
