//! Why the notifier stops, and how the caller should react.

/// What ended the notifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// The runtime of the requests could not be made.
    #[error("notifications: no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// A record does not decode.
    #[error("topic {topic} offset {offset}: a record does not decode ({source}); was it written by a newer version?")]
    Record {
        /// The topic.
        topic: String,
        /// Its offset.
        offset: u64,
        /// What the decoder said.
        source: proto::prost::DecodeError,
    },
}

impl Error {
    /// Whether opening everything again may help.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Log(error) if error.kind() != eventlog::Kind::Fatal)
    }
}
