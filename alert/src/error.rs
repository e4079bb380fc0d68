//! The one error of this crate, and how the caller should react.

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stop: ask a person.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stored alert state does not decode.
    #[error("alert state is damaged ({what}); rebuild it from the log with `vitals rebuild`")]
    State {
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::State { .. } => Kind::Fatal,
        }
    }
}
