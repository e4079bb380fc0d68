//! A rule as a task: a fold over one partition of the topic of its metric.
//!
//! Invariants: every record is judged alone, so any record is a place to commit; transitions are
//! published once, in the order of snapshots.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::{Output, Record, Stored};
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
    series: BTreeMap<Vec<u8>, Option<State>>,
    dirty: BTreeMap<Vec<u8>, State>,
}

impl Alerts {
    /// The fold of `rule`, with transitions going to `topic`.
    pub fn new(rule: Rule, topic: &str) -> Alerts {
        Alerts { rule, topic: topic.into(), series: BTreeMap::new(), dirty: BTreeMap::new() }
    }

    fn prefetch(&mut self, keys: Vec<Vec<u8>>, state: &task::State) -> task::Result<()> {
        let missing: Vec<Vec<u8>> = keys.into_iter().filter(|key| !self.series.contains_key(key)).collect();
        for (key, bytes) in missing.iter().zip(state.get_many(SERIES, &missing)?) {
            let found = bytes.map(|bytes| State::decode(&bytes)).transpose();
            let found = found.map_err(|error| state.damaged(error.to_string()))?;
            self.series.insert(key.clone(), found);
        }
        Ok(())
    }

    fn judge(&mut self, key: Vec<u8>, snapshot: &Snapshot, outputs: &mut Vec<Output>) {
        let before = self.series.get(&key).copied().flatten();
        let (now, transition) = apply(&self.rule, before, snapshot);
        if let Some(transition) = transition {
            let record = Record {
                key: key.clone().into(),
                value: Some(transition.encode_to_vec().into()),
                headers: Vec::new(),
                timestamp_us: transition.at_us,
            };
            outputs.push(Output { topic: self.topic.clone(), partition: 0, record });
        }
        self.series.insert(key.clone(), Some(now));
        self.dirty.insert(key, now);
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
        self.prefetch(snapshots.iter().map(|(key, _)| key.clone()).collect(), state)?;
        for (key, snapshot) in snapshots {
            self.judge(key, &snapshot, outputs);
        }
        Ok(Progress { applied: records.len(), closed: records.last().map(|last| last.offset + 1) })
    }

    fn flush(&mut self, _state: &task::State, batch: &mut Batch<'_>) -> task::Result<()> {
        for (key, series) in std::mem::take(&mut self.dirty) {
            batch.put(SERIES, &key, &series.encode())?;
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
