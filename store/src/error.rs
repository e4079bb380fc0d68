//! The one error of this crate, and what the caller shall do about it.
//!
//! Messages name neither the engine of a store nor the flags of a command: whoever shows one adds the cure that he has.

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
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Written by an older version, which kept less.
    #[error("{} was written by an older version (schema {found}, this one reads {known})", path.display())]
    Older {
        /// The store.
        path: PathBuf,
        /// Schema found.
        found: i64,
        /// Schema that is read.
        known: i64,
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
    #[error("{} is damaged ({what})", path.display())]
    Damaged {
        /// The store.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Some other program's database.
    #[error("{} is a database, but not one of vitals", path.display())]
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
        /// What the engine said.
        source: Box<dyn std::error::Error + Send + Sync>,
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
    #[error("there is no metric {name:?}{}", if hint.is_empty() { String::new() } else { format!("; {hint}") })]
    UnknownMetric {
        /// As written.
        name: String,
        /// Near names, or that there are none at all; empty where no name is near.
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
    #[error("a filter on {dimension:?} needs the rows by {dimension:?}")]
    Filter {
        /// Dimension of the filter.
        dimension: String,
    },
    /// An account was asked for, and the metric has none.
    #[error("metric {metric} is not kept per account{}", instead.as_ref().map_or_else(String::new, |name| format!("; ask {name}")))]
    NotPerAccount {
        /// Metric asked for.
        metric: String,
        /// The metric that accounts have instead, if there is one.
        instead: Option<String>,
    },
    /// A cursor that no page gave.
    #[error("the cursor is none that a page gave")]
    Cursor,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy { .. } => Kind::Retry,
            Self::Missing { .. }
            | Self::Older { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Engine { .. }
            | Self::Zone { .. } => Kind::Fatal,
            _ => Kind::Reject,
        }
    }
}
