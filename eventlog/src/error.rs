//! The one error of this crate, and how a caller should react to it.

// 2026-11-23: no error of the embedded log asks to try again: what fails there is a wrong request, or a disk that a
// second attempt would only lie about. `Retry` is for brokers.

use std::time::Duration;

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Try again: nothing was written.
    Retry,
    /// Make another reader or writer and start again from what is durable: it passes by itself.
    Restart,
    /// Stop the task: reopen or ask a person.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage engine refused.
    #[error("log storage at {path}: {source}")]
    Storage {
        /// Directory of the log.
        path: String,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// Another process holds the directory.
    #[error("{path} is in use by another vitals process; stop it, or give another --data")]
    InUse {
        /// Directory of the log.
        path: String,
    },
    /// The directory was written by a newer version.
    #[error("{path} was written by a newer version (format {found}, this one reads up to {known}); use that version")]
    Newer {
        /// Directory of the log.
        path: String,
        /// Format found.
        found: u32,
        /// Newest format known.
        known: u32,
    },
    /// Stored bytes do not decode.
    #[error("{path} is damaged: {what}; restore it from a backup")]
    Damaged {
        /// Directory of the log.
        path: String,
        /// What does not decode, with topic, partition and offset.
        what: String,
    },
    /// No such topic or partition.
    #[error("topic {topic} has no partition {partition}")]
    Unknown {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
    },
    /// The topic exists with other settings.
    #[error("topic {topic} has {found} partitions, not {wanted}; the number is fixed when the data is made")]
    Partitions {
        /// Topic.
        topic: String,
        /// Partitions that it has.
        found: u32,
        /// Partitions asked for.
        wanted: u32,
    },
    /// The position is outside what the partition holds.
    #[error("topic {topic} partition {partition}: offset {offset} is outside [{low}, {high}]")]
    OutOfRange {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset asked for.
        offset: u64,
        /// First kept offset.
        low: u64,
        /// Next offset.
        high: u64,
    },
    /// An earlier write failed, so nothing more is written; whether that one survives shows after reopening.
    #[error("log at {path} stopped after a failed write: {what}; free space or repair the disk, then restart")]
    Stopped {
        /// Directory of the log.
        path: String,
        /// What failed.
        what: String,
    },
    /// The request can never be carried out.
    #[error("{what}")]
    Invalid {
        /// What is wrong with it, with topic and partition.
        what: String,
    },
    /// Kafka refused, or does not answer.
    #[error("kafka: {what}")]
    Broker {
        /// What was done, and what came of it.
        what: String,
        /// Whether it passes by itself; then nothing was written.
        retry: bool,
    },
    /// Whether a commit is written is not known: the answer did not come.
    #[error("producer {name}: whether its last commit is written is not known ({what}); start again from the state")]
    Indefinite {
        /// Name of the producer.
        name: String,
        /// What went wrong.
        what: String,
    },
    /// The brokers went away while a failed transaction was taken back; nothing of it was written.
    #[error("producer {name}: the brokers are away ({what}); nothing was written, start again from the state")]
    Away {
        /// Name of the producer.
        name: String,
        /// What went wrong.
        what: String,
    },
    /// The group has given the partitions of this member to others; nothing was written.
    #[error("group {group} has gone on without this member ({what}); nothing was written")]
    Left {
        /// Consumer group.
        group: String,
        /// What the group says.
        what: String,
    },
    /// The brokers took a transaction back that was open for too long, and the producer with it.
    #[error(
        "producer {name}: the brokers took its transaction back, which was open for longer than transaction_timeout ({limit:?}); start again from the state"
    )]
    Expired {
        /// Name of the producer.
        name: String,
        /// How long a transaction may be open.
        limit: Duration,
    },
    /// Another process has joined the group under the name of this member.
    #[error(
        "group {group}: another process has taken the place of {name}; run one process for each data directory and [kafka] instance"
    )]
    Replaced {
        /// Consumer group.
        group: String,
        /// Name of the member, or of its producer.
        name: String,
    },
    /// A newer producer of this name exists.
    #[error(
        "producer {name} was fenced by a newer one of this name; run one process for each data directory and [kafka] instance"
    )]
    Fenced {
        /// Name of the producer.
        name: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Broker { retry: true, .. } => Kind::Retry,
            Self::Indefinite { .. } | Self::Away { .. } | Self::Left { .. } | Self::Expired { .. } => Kind::Restart,
            _ => Kind::Fatal,
        }
    }

    /// Says where in the log damage was met.
    pub(crate) fn at(self, topic: &str, partition: u32, offset: u64) -> Self {
        match self {
            Self::Damaged { path, what } => {
                Self::Damaged { path, what: format!("topic {topic} partition {partition} offset {offset}: {what}") }
            }
            other => other,
        }
    }
}
