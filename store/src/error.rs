//! The one error of this crate, and what the caller shall do about it.

use std::path::PathBuf;

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Try again: nothing was written.
    Retry,
    /// This record or question is wrong: another one may be fine.
    Reject,
    /// Stop: ask a person.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no store.
    #[error("there is no store at {}; make one with `vitals import FILE --data {}`", path.display(), data.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "{} was written by a newer version (schema {found}, this one reads up to {known}); use that version",
        path.display()
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Schema found.
        found: i64,
        /// Newest schema known.
        known: i64,
    },
    /// Not readable as a store.
    #[error(
        "{} is damaged ({what}); move it away and make it again from the log with `vitals rebuild`",
        path.display()
    )]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Some other program's database.
    #[error("{} is a database, but not one of vitals; give another --data", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the store for too long.
    #[error("{} is busy: another process is writing to it; try again", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The engine refused: disk full, no permission, ...
    #[error("store {}: {source}", path.display())]
    Engine {
        /// The store.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A row that cannot be stored.
    #[error("metric {metric}: {what}")]
    Row {
        /// Metric of the row.
        metric: String,
        /// What is wrong.
        what: String,
    },
    /// No such kind of window.
    #[error("{text:?} is no window; there are 1h, 1d, 1w, 1mo, 1q, 1y, `trailing Nd` and to-date")]
    WindowKind {
        /// As written.
        text: String,
    },
    /// No such time.
    #[error("{text:?} is no time; write a date (2026-01-31) or RFC 3339 (2026-01-31T12:00:00Z)")]
    Time {
        /// As written.
        text: String,
    },
    /// No such time zone.
    #[error("time zone {zone:?} is not known; give an IANA name such as Europe/Berlin")]
    Zone {
        /// As written.
        zone: String,
    },
    /// A question about a metric that is not in the catalog.
    #[error("there is no metric {name:?}; {hint}")]
    UnknownMetric {
        /// As written.
        name: String,
        /// Near names, or where to find all.
        hint: String,
    },
    /// The metric has no such window.
    #[error("metric {metric} has no window {asked:?}; {hint}it has {known}")]
    UnknownWindow {
        /// Metric asked for.
        metric: String,
        /// As written.
        asked: String,
        /// Which of its own was most likely meant, or nothing.
        hint: String,
        /// All that it has.
        known: String,
    },
    /// The metric is not kept by these dimensions.
    #[error("metric {metric} is not kept by {asked:?}; it is kept by {known}")]
    UnknownDimensions {
        /// Metric asked for.
        metric: String,
        /// As written.
        asked: String,
        /// All that it has.
        known: String,
    },
    /// A filter on a dimension that is not selected.
    #[error("`--where {dimension}=...` needs `--by {dimension}`")]
    Filter {
        /// Dimension of the filter.
        dimension: String,
    },
    /// An account was asked for, and the metric has none.
    #[error("metric {metric} is not kept per account; ask {cure}")]
    NotPerAccount {
        /// Metric asked for.
        metric: String,
        /// What to ask instead.
        cure: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } => Kind::Retry,
            Self::Missing { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Engine { .. }
            | Self::Zone { .. } => Kind::Fatal,
            _ => Kind::Reject,
        }
    }
}
