//! The one error of this crate, and what the caller shall do about it.

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Open another writer and try again: nothing is lost.
    Retry,
    /// This record is bad: to the dead letters.
    Reject,
    /// Stop: ask a person.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log refused.
    #[error("sink: {0}")]
    Log(#[from] eventlog::Error),
    /// The store refused.
    #[error("sink: {0}")]
    Store(#[from] store::Error),
    /// A record does not decode.
    #[error("{what}; it was written by another program or a newer version")]
    Record {
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Log(error) if error.kind() != eventlog::Kind::Fatal => Kind::Retry,
            Self::Store(error) => match error.kind() {
                store::Kind::Retry => Kind::Retry,
                store::Kind::Reject => Kind::Reject,
                store::Kind::Fatal => Kind::Fatal,
            },
            Self::Record { .. } => Kind::Reject,
            Self::Log(_) => Kind::Fatal,
        }
    }

    pub(crate) fn record(what: impl Into<String>) -> Self {
        Self::Record { what: what.into() }
    }
}
