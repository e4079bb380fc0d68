//! The errors of this crate: [`Error`] stops a door, [`Rejection`] refuses one line.

use std::{borrow::Cow, fmt};

use crate::event;

/// What to do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Try again: nothing was written.
    Retry,
    /// The input or the options are wrong: ask the person who gave them.
    Reject,
    /// Stop.
    Fatal,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that stops a door.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold lines of text.
    #[error("{path}: is {what}; {cure}")]
    NotLines {
        /// The file.
        path: String,
        /// What it is instead.
        what: &'static str,
        /// What to do.
        cure: &'static str,
    },
    /// There is no such mapping.
    #[error("mapping {path}: no such file, and none of this name comes with the program: there are {ready}")]
    NoMapping {
        /// The path or name.
        path: String,
        /// Names of those that come with the program.
        ready: String,
    },
    /// A mapping is wrong.
    #[error("mapping {path}: {problem}")]
    Mapping {
        /// The mapping's file.
        path: String,
        /// What is wrong, with line and column where known.
        problem: String,
    },
    /// An option is wrong.
    #[error("{option}: {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The log refused.
    #[error(transparent)]
    Log(#[from] eventlog::Error),
    /// Stored bytes do not decode.
    #[error(
        "topic {topic} partition {partition} offset {offset}: not an entry ({source}); restore the log from a backup"
    )]
    Damaged {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset.
        offset: u64,
        /// What prost said.
        source: prost::DecodeError,
    },
    /// A run on disk does not read back.
    #[error("a temporary file of the sort is damaged ({0}); import again")]
    Run(&'static str),
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotFound, UnexpectedEof};
        match self {
            Self::Mapping { .. } | Self::NoMapping { .. } | Self::Option { .. } | Self::NotLines { .. } => Kind::Reject,
            // What is no text, or damaged: the last three.
            Self::File { source, .. }
                if matches!(source.kind(), NotFound | IsADirectory | InvalidData | InvalidInput | UnexpectedEof) =>
            {
                Kind::Reject
            }
            Self::Log(error) if error.kind() == eventlog::Kind::Retry => Kind::Retry,
            _ => Kind::Fatal,
        }
    }

    pub(crate) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }
}

/// Why one line is refused: the field, what it is and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Dotted path (`data.lines[2].amount`); empty for the line as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl Rejection {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    pub(crate) fn line(problem: impl Into<String>) -> Self {
        Self::new("", problem)
    }

    pub(crate) fn too_long() -> Self {
        Self::line(format!("longer than {} bytes", event::LINE_MAX))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.field, self.problem) }
    }
}
