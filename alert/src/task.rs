//! A rule as a task: a fold over one partition of the topic of its metric.
//!
//! Invariants: every record is judged alone, so any record is a place to commit; transitions are
//! published once, in the order of snapshots.

use std::sync::Arc;

use eventlog::{Output, Record, Stored};
use proto::{
    Message,
    v1::{MetricEntry, Snapshot, metric_entry::Entry},
};
use task::{Batch, Cache, Fold, Progress};

use crate::{Rule, State, apply, key};

const SERIES: &str = "series";

/// Series kept in memory after a flush.
const KEPT: usize = 1_000_000;

/// The fold of one rule.
pub struct Alerts {
    rule: Rule,
    topic: Arc<str>,
    /// What is known of each series that was judged.
    series: Cache<Vec<u8>, Option<State>>,
}

impl Alerts {
    /// The fold of `rule`, with transitions going to `topic`.
    pub fn new(rule: Rule, topic: &str) -> Alerts {
        Alerts { rule, topic: topic.into(), series: Cache::new(SERIES) }
    }

    fn judge(&mut self, key: Vec<u8>, snapshot: &Snapshot, outputs: &mut Vec<Output>) {
        let series = self.series.change(key.clone());
        let (now, transition) = apply(&self.rule, *series, snapshot);
        *series = Some(now);
        if let Some(transition) = transition {
            let record = Record {
                key: key.into(),
                value: Some(transition.encode_to_vec().into()),
                headers: Vec::new(),
                timestamp_us: transition.at_us,
            };
            outputs.push(Output { topic: self.topic.clone(), partition: 0, record });
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
        let decode = |bytes: Vec<u8>| State::decode(&bytes).map_err(|error| state.damaged(error.to_string()));
        let keys = snapshots.iter().map(|(key, _)| key.clone());
        self.series.load(keys, state, Clone::clone, |_, bytes| bytes.map(decode).transpose())?;
        for (key, snapshot) in snapshots {
            self.judge(key, &snapshot, outputs);
        }
        Ok(Progress { applied: records.len(), closed: records.last().map(|last| last.offset + 1) })
    }

    fn flush(&mut self, _state: &task::State, batch: &mut Batch<'_>) -> task::Result<()> {
        self.series.flush(KEPT, batch, |key, series| {
            let series = series.expect("a series that changed was judged");
            (key.into(), series.encode().to_vec().into())
        })
    }

    fn dirty(&self) -> usize {
        self.series.dirty() * 150
    }
}
