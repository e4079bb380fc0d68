//! The error of checkpoints, apart from the one of this crate on purpose: a checkpoint that cannot be
//! kept never stops a task, so this error does not become that one by a `?`.

use std::{io, path::PathBuf};

use super::{Identity, Key, Refusal};

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The same may succeed later.
    Retry,
    /// There is nothing to restore: rebuild from the log.
    Rebuild,
    /// It will not succeed until somebody has changed something.
    Fatal,
}

/// Shorthand of checkpoints.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no checkpoint, or none restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object store failed, in spite of retries.
    #[error("object store {store}/{key}: {source}")]
    Store {
        /// Where it is.
        store: String,
        /// Object or prefix.
        key: String,
        /// What it said.
        source: object_store::Error,
    },
    /// The object store did not answer, in spite of retries.
    #[error("object store {store}/{key}: no answer within {seconds} s")]
    Silent {
        /// Where it is.
        store: String,
        /// Object or prefix.
        key: String,
        /// Patience of one attempt.
        seconds: u64,
    },
    /// A file of this machine.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state that was to be saved.
    #[error(transparent)]
    State(#[from] crate::Error),
    /// The address of an object store.
    #[error("object store {address}: {what}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong.
        what: String,
    },
    /// A name that cannot be part of a key.
    #[error("task {0:?}: a name has letters, digits, '.', '_' and '-' only")]
    Name(String),
    /// What was to be saved is not the state of this task.
    #[error("checkpoint of {id}: {what}")]
    Mismatch {
        /// Whose.
        id: Identity,
        /// What differs.
        what: String,
    },
    /// Somebody has taken over.
    #[error("checkpoint of {id}: epoch {found} has taken over, this is epoch {}", id.epoch)]
    Fenced {
        /// Who is late.
        id: Identity,
        /// The newer epoch.
        found: u64,
    },
    /// Another state lies where this one was to be.
    #[error("checkpoint of {id}: {key} is there already and of another state; a new owner needs a new epoch")]
    Taken {
        /// Who wanted to write.
        id: Identity,
        /// What is there.
        key: Key,
    },
    /// Written by a newer version: a downgrade is refused.
    #[error("checkpoint {key} of {id}: {refusal}")]
    Newer {
        /// Whose.
        id: Identity,
        /// Which.
        key: Key,
        /// What it says.
        refusal: Box<Refusal>,
    },
    /// There are checkpoints, and none is whole.
    #[error("checkpoint of {id}: none is whole ({refusals}); the state has to be rebuilt from the log")]
    NoneWhole {
        /// Whose.
        id: Identity,
        /// What is wrong with each.
        refusals: String,
    },
    /// A state is there already.
    #[error("{}: there is a state here already; move it away to restore another", .0.display())]
    Occupied(PathBuf),
    /// Told to stop.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Store { .. } | Error::Silent { .. } | Error::File { .. } | Error::Stopped => Kind::Retry,
            Error::NoneWhole { .. } => Kind::Rebuild,
            _ => Kind::Fatal,
        }
    }
}
