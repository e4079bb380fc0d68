//! A rule as a task: a fold over one partition of the topic of its metric.
//!
//! Invariants: every record is judged alone, so any record is a place to commit; transitions are
//! published once, in the order of snapshots.

use std::{collections::HashMap, sync::Arc};

use eventlog::{Output, Record, Stored};
use foldhash::fast::FixedState;
use proto::{
    Message,
    v1::{MetricEntry, Snapshot, metric_entry::Entry},
};
use task::{Batch, Fold, Progress};

use super::{Rule, State, apply, key};

const SERIES: &str = "series";

/// Series kept in memory after a flush.
const KEPT: usize = 1_000_000;

/// The fold of one rule.
pub struct Alerts {
    rule: Rule,
    topic: Arc<str>,
    series: HashMap<Vec<u8>, Held, FixedState>,
    /// Keys of the series that changed since the last flush.
    dirty: Vec<Vec<u8>>,
}

/// What is known of a series.
#[derive(Default)]
struct Held {
    state: Option<State>,
    dirty: bool,
}

impl Alerts {
    /// The fold of `rule`, with transitions going to `topic`.
    pub fn new(rule: Rule, topic: &str) -> Alerts {
        Alerts { rule, topic: topic.into(), series: HashMap::default(), dirty: Vec::new() }
    }

    fn prefetch<'a>(&mut self, keys: impl Iterator<Item = &'a Vec<u8>>, state: &task::State) -> task::Result<()> {
        let mut missing: Vec<&Vec<u8>> = keys.filter(|key| !self.series.contains_key(*key)).collect();
        missing.sort_unstable();
        missing.dedup();
        for (key, bytes) in missing.iter().zip(state.get_many(SERIES, &missing)?) {
            let found = bytes.map(|bytes| State::decode(&bytes)).transpose();
            let found = found.map_err(|error| state.damaged(error.to_string()))?;
            self.series.insert((*key).clone(), Held { state: found, dirty: false });
        }
        Ok(())
    }

    fn judge(&mut self, key: Vec<u8>, snapshot: &Snapshot, outputs: &mut Vec<Output>) {
        let Some(held) = self.series.get_mut(&key) else { return };
        let (now, transition) = apply(&self.rule, held.state, snapshot);
        held.state = Some(now);
        let clean = !std::mem::replace(&mut held.dirty, true);
        if let Some(transition) = transition {
            let record = Record {
                key: key.clone().into(),
                value: Some(transition.encode_to_vec().into()),
                headers: Vec::new(),
                timestamp_us: transition.at_us,
            };
            outputs.push(Output { topic: self.topic.clone(), partition: 0, record });
        }
        if clean {
            self.dirty.push(key);
        }
    }
}

impl Fold for Alerts {
    const TABLES: &'static [&'static str] = &[SERIES];

    fn apply(
        &mut self,
        records: &[Stored],
        state: &task::State,
        _pause: bool,
        outputs: &mut Vec<Output>,
    ) -> task::Result<Progress> {
        let mut snapshots = Vec::new();
        for stored in records {
            let entry = stored.record.value.clone().map(MetricEntry::decode).transpose();
            let entry = entry.map_err(|error| task::Error::Record {
                task: self.rule.name.clone(),
                offset: stored.offset,
                what: format!("a snapshot does not decode: {error}"),
            })?;
            if let Some(Entry::Snapshot(snapshot)) = entry.and_then(|entry| entry.entry)
                && self.rule.reads(&snapshot)
            {
                snapshots.push((key(&self.rule, &snapshot).encode_to_vec(), snapshot));
            }
        }
        self.prefetch(snapshots.iter().map(|(key, _)| key), state)?;
        for (key, snapshot) in snapshots {
            self.judge(key, &snapshot, outputs);
        }
        Ok(Progress { applied: records.len(), closed: records.last().map(|last| last.offset + 1) })
    }

    fn flush(&mut self, _state: &task::State, batch: &mut Batch<'_>) -> task::Result<()> {
        self.dirty.sort_unstable();
        for key in self.dirty.drain(..) {
            let Some(held) = self.series.get_mut(&key) else { continue };
            held.dirty = false;
            if let Some(series) = held.state {
                batch.put(SERIES, &key, &series.encode())?;
            }
        }
        if self.series.len() > KEPT {
            self.series.clear();
        }
        Ok(())
    }

    fn dirty(&self) -> usize {
        self.dirty.len() * 150
    }
}
