//! Time-series stores: a write half and a read half, and one suite that every store passes ([`conformance`]).
//!
//! Invariants:
//! - a row (series and window) is replaced only by one of the same or a higher revision, so writing is idempotent;
//! - a batch is written as a whole or not at all, and durable when [`Write::write`] returns;
//! - of a batch only the highest revision of a row is written;
//! - a reader sees the store as of one moment until [`Read::refresh`], and never blocks a writer.
//!
//! [`ask`] answers questions on top of the read half: it resolves names against the catalog and fills in the windows
//! that no row was stored for.
//!
//! It does not know the log, nor how values come about.

pub mod account;
pub mod ask;
pub mod compare;
pub mod conformance;
mod error;
pub mod fill;
pub mod form;
pub mod goal;
mod row;
pub mod sheet;
pub mod sqlite;
pub mod telemetry;
pub mod usual;
pub mod window;

pub use account::{Account, AccountSelect, AccountSort, Accounts};
pub use ask::{Ask, ask};
pub use error::{Error, Kind, Result};
pub use row::{
    About, Alert, AlertSelect, AlertState, Batch, Cause, Clock, Direction, Evidence, EvidenceWindow, Fill, MetricInfo,
    Point, Row, Select, Series, Settings, Span, evidence_json,
};
pub use window::Window;

use std::ops::ControlFlow;

/// What came of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows and alerts inserted or replaced.
    pub applied: u64,
    /// Rows and alerts left out: a row of a higher revision was there, or in the same batch.
    pub superseded: u64,
}

/// The write half.
pub trait Write: Send {
    /// Writes the batch durably, or nothing of it.
    ///
    /// # Errors
    /// `Reject` names a row that cannot be stored, `Retry` when the store is busy.
    fn write(&mut self, batch: &Batch) -> Result<Written>;

    /// Replaces the catalog and the settings. Rows of metrics no longer in it stay.
    ///
    /// # Errors
    /// `Retry` when the store is busy.
    fn describe(&mut self, catalog: &[MetricInfo], settings: &Settings) -> Result<()>;
}

/// Takes one series and its selected points, in order of windows; says whether to go on.
pub type Visit<'a> = dyn FnMut(Series, Vec<Point>) -> Result<ControlFlow<()>> + 'a;

/// The read half. All reads see one moment.
pub trait Read: Send {
    /// Moves on to what is stored now.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn refresh(&mut self) -> Result<()>;

    /// The catalog, in its order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn catalog(&self) -> Result<Vec<MetricInfo>>;

    /// A number that every write makes another one: what was answered at the same number is still right.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn changes(&self) -> Result<u64>;

    /// The settings.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn settings(&self) -> Result<Settings>;

    /// How far each partition has come, by topic and partition.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn clocks(&self) -> Result<Vec<Clock>>;

    /// The least start (trailing windows: the least end) of the stored points of a kind, whatever the series.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn first_us(&self, tenant: &str, metric: &MetricInfo, kind: window::Kind) -> Result<Option<i64>>;

    /// Each selected series with a point in the kind of window, whether or not in the span, ordered by dimensions, currency
    /// and account.
    ///
    /// # Errors
    /// When the store cannot be read, or the visitor's.
    fn series(&self, select: &Select, visit: &mut Visit<'_>) -> Result<()>;

    /// Number of groups (sets of values of dimensions) of a metric that is kept by exactly these dimensions, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn groups(&self, tenant: &str, metric: &MetricInfo, by: &[String]) -> Result<u64>;

    /// Current states, by rule, account and dimensions.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn alerts(&self, select: &AlertSelect) -> Result<Vec<Alert>>;

    /// All changes of state, by rule, account, dimensions and time. `state` selects transitions to it.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn transitions(&self, select: &AlertSelect) -> Result<Vec<Alert>>;

    /// A page of the accounts.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn accounts(&self, select: &AccountSelect) -> Result<Accounts>;

    /// Scores of all accounts that have one, with what they were [`account::BEFORE_DAYS`] ago: how many lie in each of the
    /// bands now and then, in the order of the bands.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn bands(&self, tenant: &str, bands: &[account::Band]) -> Result<Vec<(u64, u64)>>;

    /// Currencies of the metrics of the whole, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn currencies(&self, tenant: &str) -> Result<Vec<String>>;
}
