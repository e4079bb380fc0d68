//! Rows of the rollup as records of their topics, written straight into bytes.
//!
//! A row is published twice or more, and there are very many: what all rows of a line share (the key but for the window) is
//! encoded once, what all rows of a window share (the window) once a run. Records lie one after the other in shared
//! buffers, and the key of a record is a slice of its value: none has memory of its own. Invariant: the bytes are
//! those that `prost` would write, fields in the order of their tags; a test compares them.

use std::{fmt::Write as _, sync::Arc};

use eventlog::{Output, Record};
use processor_core::{
    calendar::Window,
    plan::Plan,
    rollup::{Change, Line},
};
use proto::{
    Message as _,
    bytes::Bytes,
    prost::encoding::{self, WireType},
    v1,
};

use crate::convert;

/// Records share a buffer of about this many bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// Encodings that rows share, and the records that are not handed out yet.
pub(super) struct Snapshots {
    /// For each line, its key up to the window; empty where it is not encoded yet.
    keys: Vec<Box<[u8]>>,
    /// The last window, and its field in a key.
    window: Option<(Window, Vec<u8>)>,
    /// For each metric, its name and unit as fields.
    metrics: Vec<(Vec<u8>, Vec<u8>)>,
    buffer: Vec<u8>,
    records: Vec<Place>,
    /// What follows the key in the snapshot that is being written; scratch.
    rest: Vec<u8>,
    number: String,
}

/// Where a record lies in the buffer.
struct Place {
    metric: usize,
    value: (usize, usize),
    key: (usize, usize),
}

impl Snapshots {
    pub(super) fn new(plan: &Plan) -> Snapshots {
        let metrics = plan.metrics.iter().map(|metric| {
            let (mut name, mut unit) = (Vec::new(), Vec::new());
            text(2, &metric.name, &mut name);
            text(7, &metric.unit, &mut unit);
            (name, unit)
        });
        Snapshots {
            keys: Vec::new(),
            window: None,
            metrics: metrics.collect(),
            buffer: Vec::new(),
            records: Vec::new(),
            rest: Vec::new(),
            number: String::new(),
        }
    }

    /// Writes the record of a change; those before it are handed out when they fill a buffer.
    pub(super) fn add(
        &mut self,
        plan: &Plan,
        line: &Line,
        change: &Change,
        instant: i64,
        topics: &[Arc<str>],
        outputs: &mut Vec<Output>,
    ) {
        self.encode(plan, line, change, instant);
        if self.buffer.len() >= BUFFER_BYTES {
            self.hand_out(instant, topics, outputs);
        }
    }

    /// Hands out the records that were written since the last call.
    pub(super) fn hand_out(&mut self, instant: i64, topics: &[Arc<str>], outputs: &mut Vec<Output>) {
        // After a full buffer comes most likely another one; an instant that is live has a few records.
        let more = if self.buffer.len() >= BUFFER_BYTES { self.buffer.capacity() } else { 0 };
        let shared = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(more)));
        outputs.extend(self.records.drain(..).map(|Place { metric, value, key }| {
            let value = Some(shared.slice(value.0..value.1));
            let record = Record { key: shared.slice(key.0..key.1), value, headers: Vec::new(), timestamp_us: instant };
            Output { topic: topics[metric].clone(), partition: 0, record }
        }));
    }

    fn encode(&mut self, plan: &Plan, line: &Line, change: &Change, instant: i64) {
        self.prepare(plan, line, change);
        self.write_rest(plan, line, change, instant);

        let Snapshots { keys, window, buffer, rest, records, .. } = self;
        let (_, window) = window.as_ref().expect("prepare set it");
        let identity = &keys[change.line as usize];
        let length = identity.len() + window.len();
        let snapshot = 1 + encoding::encoded_len_varint(length as u64) + length + rest.len();

        let begin = buffer.len();
        head(1, snapshot, buffer);
        head(1, length, buffer);
        let key = buffer.len();
        buffer.extend_from_slice(identity);
        buffer.extend_from_slice(window);
        buffer.extend_from_slice(rest);
        records.push(Place { metric: line.metric, value: (begin, buffer.len()), key: (key, key + length) });
    }

    /// The fields of a snapshot after its key.
    fn write_rest(&mut self, plan: &Plan, line: &Line, change: &Change, instant: i64) {
        let Snapshots { metrics, rest, number, .. } = self;
        let (name, unit) = &metrics[line.metric];
        let row = &change.row;

        rest.clear();
        rest.extend_from_slice(name);
        if instant != 0 {
            encoding::sint64::encode(3, &instant, rest);
        }
        if let Some(value) = &row.value {
            encoding::double::encode(4, value, rest);
        }
        if let Some((num, den)) = row.ratio {
            integer(5, num, number, rest);
            integer(6, den, number, rest);
        }
        rest.extend_from_slice(unit);
        text_if(8, line.currency(plan), rest);
        flag_if(9, row.is_final, rest);
        flag_if(10, row.corrected, rest);
        text_if(11, &row.reason, rest);
    }

    /// Encodes what the row shares with others, where it is not encoded yet.
    fn prepare(&mut self, plan: &Plan, line: &Line, change: &Change) {
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

/// What comes before the bytes of a field.
fn head(tag: u32, length: usize, out: &mut Vec<u8>) {
    encoding::encode_key(tag, WireType::LengthDelimited, out);
    encoding::encode_varint(length as u64, out);
}

fn bytes(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    head(tag, value.len(), out);
    out.extend_from_slice(value);
}

/// A number as decimal text; `scratch` holds its digits.
fn integer(tag: u32, number: i128, scratch: &mut String, out: &mut Vec<u8>) {
    scratch.clear();
    // Nearly all fit 64 bits, which are printed in a fraction of the time.
    let written = match i64::try_from(number) {
        Ok(short) => write!(scratch, "{short}"),
        Err(_) => write!(scratch, "{number}"),
    };
    written.expect("a string takes all that is written");
    text(tag, scratch, out);
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
        let topics: Vec<Arc<str>> = plan.metrics.iter().map(|metric| metric.name.as_str().into()).collect();
        let mut rollup = Rollup::new(plan.clone(), Time::MIN);
        let mut changes = Changes::default();
        for (number, bundle) in plan.bundles.iter().enumerate() {
            let values = vec!["EUR"; bundle.dims.len() + usize::from(bundle.money)];
            changes.add(number, &values, 0, &vec![3; bundle.columns.len()]);
        }
        rollup.merge(changes);
        let (mut snapshots, mut outputs, mut expected) = (Snapshots::new(&plan), Vec::new(), Vec::new());
        // The window is open, then final.
        for instant in [3_600_000_000, 180_000_000_000] {
            rollup.prepare(instant);
            rollup.close(|line, change| {
                for (corrected, ratio) in [(false, None), (true, Some((i128::MIN, i128::from(i64::MAX) + 1)))] {
                    let mut change = change.clone();
                    change.row.corrected = corrected;
                    change.row.ratio = ratio.or(change.row.ratio);
                    let (key, value) = by_prost(&plan, line, &change, instant);
                    snapshots.add(&plan, line, &change, instant, &topics, &mut outputs);
                    let value = Some(value.into());
                    let record = Record { key: key.into(), value, headers: Vec::new(), timestamp_us: instant };
                    expected.push(Output { topic: topics[line.metric].clone(), partition: 0, record });
                }
            });
            snapshots.hand_out(instant, &topics, &mut outputs);
        }
        assert!(expected.len() > 1_000, "only {} rows", expected.len());
        assert!(outputs == expected, "a row is not what prost writes, or not in its place");
    }
}
