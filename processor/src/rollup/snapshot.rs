//! Rows of the rollup as records of their topics, written straight into bytes.
//!
//! A row is published twice or more, and there are very many: what all rows of a line share (the key but for the window) is
//! encoded once, what all rows of a window share (the window) once a run. Invariant: the bytes are those that
//! `prost` would write, fields in the order of their tags; a test compares them.

use processor_core::{
    calendar::Window,
    plan::Plan,
    rollup::{Change, Line},
};
use proto::{
    Message as _,
    prost::encoding::{self, WireType},
    v1,
};

use crate::convert;

/// Encodings that rows share.
pub(super) struct Snapshots {
    /// For each line, its key up to the window; empty where it is not encoded yet.
    keys: Vec<Box<[u8]>>,
    /// The last window, and its field in a key.
    window: Option<(Window, Vec<u8>)>,
    /// For each metric, its name and unit as fields.
    metrics: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Snapshots {
    pub(super) fn new(plan: &Plan) -> Snapshots {
        let metrics = plan.metrics.iter().map(|metric| {
            let (mut name, mut unit) = (Vec::new(), Vec::new());
            text(2, &metric.name, &mut name);
            text(7, &metric.unit, &mut unit);
            (name, unit)
        });
        Snapshots { keys: Vec::new(), window: None, metrics: metrics.collect() }
    }

    /// Key and value of the record of a change.
    pub(super) fn encode(&mut self, plan: &Plan, line: &Line, change: &Change, instant: i64) -> (Vec<u8>, Vec<u8>) {
        let key = self.key(plan, line, change);
        let (name, unit) = &self.metrics[line.metric];
        let row = &change.row;

        let mut snapshot = Vec::with_capacity(key.len() + name.len() + unit.len() + 96);
        bytes(1, &key, &mut snapshot);
        snapshot.extend_from_slice(name);
        if instant != 0 {
            encoding::sint64::encode(3, &instant, &mut snapshot);
        }
        if let Some(value) = &row.value {
            encoding::double::encode(4, value, &mut snapshot);
        }
        if let Some((num, den)) = row.ratio {
            text(5, &num.to_string(), &mut snapshot);
            text(6, &den.to_string(), &mut snapshot);
        }
        snapshot.extend_from_slice(unit);
        text_if(8, line.currency(plan), &mut snapshot);
        flag_if(9, row.is_final, &mut snapshot);
        flag_if(10, row.corrected, &mut snapshot);
        text_if(11, &row.reason, &mut snapshot);

        let mut entry = Vec::with_capacity(snapshot.len() + 4);
        bytes(1, &snapshot, &mut entry);
        (key, entry)
    }

    fn key(&mut self, plan: &Plan, line: &Line, change: &Change) -> Vec<u8> {
        let place = change.line as usize;
        if self.keys.len() <= place {
            self.keys.resize_with(place + 1, Box::default);
        }
        if self.keys[place].is_empty() {
            self.keys[place] = identity(plan, line).encode_to_vec().into();
        }
        if self.window.as_ref().is_none_or(|(window, _)| *window != change.window) {
            let mut field = Vec::new();
            bytes(5, &convert::window(&change.window).encode_to_vec(), &mut field);
            self.window = Some((change.window, field));
        }
        let (_, window) = self.window.as_ref().expect("it was set above");
        [&self.keys[place], window.as_slice()].concat()
    }
}

/// The key of a line's rows, without the window.
fn identity(plan: &Plan, line: &Line) -> v1::SnapshotKey {
    let metric = &plan.metrics[line.metric];
    let dimension = |name: &str, value: &str| v1::Dimension { name: name.to_owned(), value: value.to_owned() };
    let names = metric.views[line.view].by.iter();
    let mut dimensions: Vec<v1::Dimension> =
        names.zip(line.values(plan)).map(|(name, value)| dimension(name, value)).collect();
    let currency = line.currency(plan);
    if !currency.is_empty() {
        dimensions.push(dimension("currency", currency));
    }
    v1::SnapshotKey {
        tenant: "default".to_owned(),
        definition: metric.definition.clone(),
        dimensions,
        account: None,
        window: None,
    }
}

fn bytes(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    encoding::encode_key(tag, WireType::LengthDelimited, out);
    encoding::encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn text(tag: u32, value: &str, out: &mut Vec<u8>) {
    bytes(tag, value.as_bytes(), out);
}

/// Fields without presence are left out where they are empty.
fn text_if(tag: u32, value: &str, out: &mut Vec<u8>) {
    if !value.is_empty() {
        text(tag, value, out);
    }
}

fn flag_if(tag: u32, value: bool, out: &mut Vec<u8>) {
    if value {
        encoding::bool::encode(tag, &value, out);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use processor_core::{
        calendar::Time,
        rollup::{Changes, Rollup},
        settings::Settings,
    };

    use super::*;

    /// The same by `prost`.
    fn by_prost(plan: &Plan, line: &Line, change: &Change, instant: i64) -> (Vec<u8>, Vec<u8>) {
        let metric = &plan.metrics[line.metric];
        let key = v1::SnapshotKey { window: Some(convert::window(&change.window)), ..identity(plan, line) };
        let snapshot = v1::Snapshot {
            key: Some(key.clone()),
            metric: metric.name.clone(),
            revision_us: instant,
            value: change.row.value,
            num: change.row.ratio.map(|(num, _)| num.to_string()),
            den: change.row.ratio.map(|(_, den)| den.to_string()),
            unit: metric.unit.clone(),
            currency: line.currency(plan).to_owned(),
            r#final: change.row.is_final,
            corrected: change.row.corrected,
            reason: change.row.reason.clone(),
            ..v1::Snapshot::default()
        };
        let entry = v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Snapshot(snapshot)) };
        (key.encode_to_vec(), entry.encode_to_vec())
    }

    #[test]
    fn a_row_is_encoded_as_prost_would() {
        let plan = Arc::new(Plan::built_in(&Settings::default()).unwrap());
        let mut rollup = Rollup::new(plan.clone(), Time::MIN);
        let mut changes = Changes::default();
        for (number, bundle) in plan.bundles.iter().enumerate() {
            let values = vec!["EUR"; bundle.dims.len() + usize::from(bundle.money)];
            changes.add(number, &values, 0, &vec![3; bundle.columns.len()]);
        }
        rollup.merge(changes);
        let mut snapshots = Snapshots::new(&plan);
        let mut seen = 0;
        // The window is open, then final.
        for instant in [3_600_000_000, 180_000_000_000] {
            rollup.prepare(instant);
            for mut change in rollup.close() {
                for corrected in [false, true] {
                    change.row.corrected = corrected;
                    let line = rollup.line(change.line);
                    let found = snapshots.encode(&plan, line, &change, instant);
                    assert_eq!(found, by_prost(&plan, line, &change, instant), "{change:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 1_000, "only {seen} rows");
    }
}
