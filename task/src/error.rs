//! The one error of this crate.

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Make another worker, from disk, after a moment: it passes by itself.
    Restart,
    /// Stop the process: somebody must look, or another one has taken over.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that stops a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// The storage engine refused.
    #[error("state at {path}: {source}")]
    Storage {
        /// Directory of the state.
        path: String,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// Somebody has the state open.
    #[error("state at {path} is in use by another vitals process; stop it, or give another --data")]
    Locked {
        /// Directory of the state.
        path: String,
    },
    /// A file of this machine.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Other definitions of metrics made what the group has published.
    #[error(
        "task {task}: other definitions of the metrics made what is published (generation {found}, this is {own}); give every processor the same catalog and settings, or stop them all and compute everything again with `vitals rebuild`"
    )]
    Definitions {
        /// The task.
        task: String,
        /// Hash of the definitions of the group.
        found: String,
        /// Hash of our definitions.
        own: String,
    },
    /// The directory was written by a newer version.
    #[error(
        "state at {path} was written by a newer version (format {found}, this one reads up to {known}); use that version"
    )]
    Newer {
        /// Directory of the state.
        path: String,
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Stored bytes do not decode.
    #[error("state at {path} is damaged: {what}; it is made again from a checkpoint or the log")]
    Damaged {
        /// Directory of the state.
        path: String,
        /// What does not decode.
        what: String,
    },
    /// R > G, or R without G.
    #[error(
        "task {task}: the state is at offset {state}, but its group {}: the state is of another log, or the log lost data; bring the log back, or compute everything again with `vitals rebuild`",
        group.map_or("has committed nothing".to_owned(), |offset| format!("has committed only {offset}"))
    )]
    AheadOfGroup {
        /// The task.
        task: String,
        /// R.
        state: u64,
        /// G.
        group: Option<u64>,
    },
    /// Somebody else has committed G.
    #[error(
        "task {task}: its group's offset {offset} was not committed by Vitals, somebody has reset it; compute everything again with `vitals rebuild`"
    )]
    Foreign {
        /// The task.
        task: String,
        /// G.
        offset: u64,
    },
    /// G is past the end.
    #[error(
        "task {task}: its group has committed offset {group}, but the log ends at {high}: it lost records or was made anew; bring it back, or compute everything again with `vitals rebuild`"
    )]
    Truncated {
        /// The task.
        task: String,
        /// G.
        group: u64,
        /// Offset of the next record.
        high: u64,
    },
    /// Retention passed R.
    #[error(
        "task {task}: it has to read from offset {from}, but the log begins at {low}: retention passed it; a newer checkpoint helps (see `vitals checkpoints list`), or, where all events are kept, `vitals rebuild`"
    )]
    Retained {
        /// The task.
        task: String,
        /// Where it would begin.
        from: u64,
        /// First kept offset.
        low: u64,
    },
    /// No thread can be started to open a state.
    #[error("a state cannot be opened on a thread of its own: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
    /// Opening a state panicked.
    #[error("task {task}: opening its state panicked: this is a defect, please report it with the log")]
    Panicked {
        /// The task.
        task: String,
    },
    /// A record of the log does not decode where every record must.
    #[error("task {task}, offset {offset}: {what}")]
    Record {
        /// The task.
        task: String,
        /// Its offset.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Log(error) if error.kind() != eventlog::Kind::Fatal => Kind::Restart,
            // The worker has marked the state: it is discarded when it is opened next.
            Error::Damaged { .. } => Kind::Restart,
            _ => Kind::Fatal,
        }
    }
}
