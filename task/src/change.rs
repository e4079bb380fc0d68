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
//! as records are. What holds from the first record on is a *founding*, written before any task runs. A task that has none,
//! such as one of rules that came later, publishes nothing until its first change, which happens when it has come to the end
//! that its partition had when it was opened. It does not know what a change means: a body is bytes.

use std::{collections::BTreeSet, fmt, sync::Arc};

use bytes::Bytes;
use eventlog::{Commit, Log, Output, Producer, Record};
use proto::{
    Message as _,
    v1::{StageBody, TaskChange, TaskFounding},
};

use crate::{Error, Result};

/// Where the changes of a stage come from and go to.
#[derive(Clone)]
pub struct Changes {
    /// The topic that remembers them, of one partition.
    pub topic: Arc<str>,
    /// What should hold now for the tasks of a topic: the body of their latest change.
    pub wanted: Arc<dyn Fn(&str) -> Bytes + Send + Sync>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// The key of a founding.
const FOUNDING: &[u8] = b"founding";

/// Writes what holds from the first record on, by stage, unless the topic of changes has records already.
///
/// # Errors
/// When the log cannot be read or written.
pub fn found(
    log: &dyn Log,
    topic: &str,
    stages: impl Iterator<Item = (String, Bytes)>,
    producer: impl FnOnce() -> eventlog::Result<Box<dyn Producer>>,
) -> eventlog::Result<()> {
    if log.watermarks(topic, 0)?.high > 0 {
        return Ok(());
    }
    let stages = stages.map(|(stage, body)| StageBody { stage, body }).collect();
    let value = TaskFounding { stages }.encode_to_vec();
    let record = Record { key: Bytes::from_static(FOUNDING), value: Some(value.into()), ..Record::default() };
    let outputs = vec![Output { topic: topic.into(), partition: 0, record }];
    producer()?.commit(Commit { outputs, offsets: Vec::new() })
}

/// Stages that a topic of changes remembers: each has, or had, something that holds.
///
/// # Errors
/// When the log cannot be read.
pub fn changed_stages(log: &dyn Log, topic: &str) -> eventlog::Result<BTreeSet<String>> {
    let mut stages = BTreeSet::new();
    for stored in eventlog::past(log, topic, 0, 0)? {
        let record = stored?.record;
        if record.key.as_ref() == FOUNDING {
            let founding = TaskFounding::decode(record.value.unwrap_or_default()).unwrap_or_default();
            stages.extend(founding.stages.into_iter().map(|body| body.stage));
        } else if let Some((stage, _)) = String::from_utf8_lossy(&record.key).rsplit_once('-') {
            stages.insert(stage.to_owned());
        }
    }
    Ok(stages)
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
    /// The changes of a task, the first one first; a founding has them by what the names of tasks begin with.
    pub(crate) fn of(&self, stage: &str, task: &str, log: &dyn Log) -> Result<Vec<Change>> {
        let (mut founding, mut changes) = (None, Vec::new());
        for stored in eventlog::past(log, &self.topic, 0, 0)? {
            let stored = stored?;
            let damaged = |error: proto::prost::DecodeError| Error::Record {
                task: task.to_owned(),
                offset: stored.offset,
                what: format!("a change on {} does not decode: {error}", self.topic),
            };
            let value = stored.record.value.unwrap_or_default();
            if stored.record.key.as_ref() == task.as_bytes() {
                let change = TaskChange::decode(value).map_err(damaged)?;
                changes.push(Change { offset: change.offset, body: change.body });
            } else if stored.record.key.as_ref() == FOUNDING && founding.is_none() {
                founding = Some(TaskFounding::decode(value).map_err(damaged)?);
            }
        }
        let own = founding.into_iter().flat_map(|founding| founding.stages).find(|body| body.stage == stage);
        let first = own.map(|own| Change { offset: 0, body: own.body });
        Ok(first.into_iter().chain(changes).collect())
    }

    /// The record that remembers a change.
    pub(crate) fn record(&self, task: &str, change: &Change) -> Output {
        let value = TaskChange { offset: change.offset, body: change.body.clone() }.encode_to_vec();
        let record =
            Record { key: Bytes::copy_from_slice(task.as_bytes()), value: Some(value.into()), ..Record::default() };
        Output { topic: self.topic.clone(), partition: 0, record }
    }
}
