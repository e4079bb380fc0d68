//! Changes of what a task does: rules that become others while it runs.
//!
//! A change happens between two records, when the task is live. So that a replay makes the same states, the log remembers it: a
//! record on a topic of changes, written in one commit with what the change brings about and the offset at which it happened.
//!
//! ```text
//!     records of the partition   0 1 2 3 4 5 6 | 7 8 9 | 10 11 ...
//!     changes (number, offset)                 (1, 7)  (2, 10)
//! ```
//! Invariants: a state says how many changes it holds; below G a change is applied where it happened, with outputs suppressed,
//! as records are. A task without any change publishes nothing: the first one happens when it has come to the end that its
//! partition had when it was opened. It does not know what a change means: a body is bytes.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use eventlog::{Log, Output, Record};
use proto::{Message as _, v1::TaskChange};

use crate::{Error, Result};

/// Where the changes of a stage come from and go to.
#[derive(Clone)]
pub struct Changes {
    /// The topic that remembers them, of one partition.
    pub topic: Arc<str>,
    /// What should hold now: the body of the latest change.
    pub wanted: Arc<dyn Fn() -> Bytes + Send + Sync>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// A change that the log remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Offset of the first record after it.
    pub(crate) offset: u64,
    /// What holds from there on.
    pub(crate) body: Bytes,
}

impl Changes {
    /// The changes of a task, the first one first.
    pub(crate) fn of(&self, task: &str, log: &dyn Log) -> Result<Vec<Change>> {
        let mut found = Vec::new();
        for stored in eventlog::past(log, &self.topic, 0, 0)? {
            let stored = stored?;
            if stored.record.key.as_ref() != task.as_bytes() {
                continue;
            }
            let change = stored.record.value.map(TaskChange::decode).transpose();
            let change = change.map_err(|error| Error::Record {
                task: task.to_owned(),
                offset: stored.offset,
                what: format!("a change on {} does not decode: {error}", self.topic),
            })?;
            found.extend(change.map(|change| Change { offset: change.offset, body: change.body }));
        }
        Ok(found)
    }

    /// The record that remembers a change.
    pub(crate) fn record(&self, task: &str, change: &Change) -> Output {
        let value = TaskChange { offset: change.offset, body: change.body.clone() }.encode_to_vec();
        let record =
            Record { key: Bytes::copy_from_slice(task.as_bytes()), value: Some(value.into()), ..Record::default() };
        Output { topic: self.topic.clone(), partition: 0, record }
    }
}
