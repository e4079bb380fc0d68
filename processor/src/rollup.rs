//! The rollup stage: one task a partition of `partials.v1`.
//!
//! Invariants: an instant is handled when every source partition has closed it; what a source says
//! of later instants waits, on disk from the next flush on; a partial replaces its predecessor of
//! the same source, so merging is free of order.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::{Output, Stored};
use processor_core::{
    calendar::Time,
    codec::{Reader, put, put_signed, put_text},
    map::Map,
    plan::Plan,
    rollup::{Change, Published, Rollup},
};
use proto::{Message, v1};
use task::{Batch, Fold, Progress, Result, State};

use crate::{
    account::{decode_row, encode_row, snapshot_output, tick_output, unreadable},
    convert, topics,
};

const LATEST: &str = "latest";
const ROWS: &str = "rows";
const PENDING: &str = "pending";
const META: &str = "meta";
const META_KEY: &[u8] = b"rollup";

/// The fold of one partition of partials.
pub struct Rollups {
    plan: Arc<Plan>,
    rollup: Rollup,
    /// The last instant that each source has closed.
    sources: Vec<Time>,
    /// Entries of instants that not all sources have closed, by (instant, source, number).
    pending: BTreeMap<(Time, u32, u64), v1::PartialEntry>,
    arrived: u64,
    /// Pending entries on disk that are handled since.
    handled: Vec<(Time, u32, u64)>,
    /// Entries up to this number are on disk.
    stored: u64,
    /// Latest partials changed since the last flush.
    latest: Map<Vec<u8>, Box<[i128]>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    metric_topics: Vec<Arc<str>>,
    bundles: Map<u64, usize>,
}

impl Rollups {
    /// The fold as its state left it; `sources` is the number of partitions of `events.v1`.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    pub fn open(plan: Arc<Plan>, sources: u32, state: &State) -> Result<Rollups> {
        let damaged = || state.damaged("the clocks of the sources do not decode");
        let (clock, clocks, arrived) = match state.get(META, META_KEY)? {
            None => (Time::MIN, vec![Time::MIN; sources as usize], 0),
            Some(bytes) => decode_meta(&bytes).filter(|meta| meta.1.len() == sources as usize).ok_or_else(damaged)?,
        };
        let mut rollups = Rollups {
            rollup: Rollup::new(plan.clone(), clock),
            sources: clocks,
            pending: BTreeMap::new(),
            arrived,
            handled: Vec::new(),
            stored: arrived,
            latest: Map::default(),
            rows: BTreeMap::new(),
            metric_topics: plan.metrics.iter().map(|metric| Arc::from(topics::metric(&metric.name))).collect(),
            bundles: plan.bundles.iter().enumerate().map(|(number, bundle)| (bundle.hash, number)).collect(),
            plan,
        };
        rollups.load(state)?;
        Ok(rollups)
    }

    fn load(&mut self, state: &State) -> Result<()> {
        let mut intact = true;
        state.scan(LATEST, &[], |key, value| {
            intact = self.restore_slice(key, value).is_some();
            intact
        })?;
        if intact {
            state.scan(ROWS, &[], |key, value| {
                let row = Published::decode(value);
                intact = row.and_then(|row| self.rollup.restore_row(key, row)).is_some();
                intact
            })?;
        }
        if intact {
            state.scan(PENDING, &[], |key, value| {
                let entry = parse_pending(key).zip(v1::PartialEntry::decode(value).ok());
                intact = entry.map(|(key, entry)| self.pending.insert(key, entry)).is_some();
                intact
            })?;
        }
        if intact { Ok(()) } else { Err(state.damaged("a slice, row or waiting partial does not decode")) }
    }

    fn restore_slice(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (_source, rest) = key.split_first_chunk::<4>()?;
        let (bundle, rest) = rest.split_first_chunk::<8>()?;
        let bundle = *self.bundles.get(&u64::from_be_bytes(*bundle))?;
        let mut from = Reader(rest);
        let start = from.get_time()?;
        let mut values = Vec::new();
        while !from.0.is_empty() {
            values.push(from.get_text()?);
        }
        let row = decode_row(value, self.plan.bundles[bundle].columns.len())?;
        self.rollup.restore(bundle, &values, start, &row);
        Some(())
    }

    /// Handles every instant that all sources have closed.
    fn handle(&mut self, state: &State, outputs: &mut Vec<Output>) -> Result<bool> {
        let ready = self.sources.iter().copied().min().unwrap_or(Time::MIN);
        let mut handled = false;
        while let Some(instant) = self.pending.keys().next().map(|key| key.0).filter(|instant| *instant <= ready) {
            let later = self.pending.split_off(&(instant.saturating_add(1), 0, 0));
            let entries = std::mem::replace(&mut self.pending, later);
            for (key, entry) in entries {
                self.merge(&entry, state)?;
                if key.2 < self.stored {
                    self.handled.push(key);
                }
            }
            self.publish(instant, outputs);
            handled = true;
        }
        Ok(handled)
    }

    /// Adds what the entry's slices differ from what the same source said before.
    fn merge(&mut self, entry: &v1::PartialEntry, state: &State) -> Result<()> {
        let mut keys = Vec::new();
        let mut slices = Vec::new();
        for series in &entry.series {
            let Some(bundle) = self.bundles.get(&series.bundle).copied() else { continue };
            for slice in &series.slices {
                keys.push(latest_key(entry.source, series, slice.start_s * convert::MICROS));
                slices.push((bundle, series, slice));
            }
        }
        let missing: Vec<&Vec<u8>> = keys.iter().filter(|key| !self.latest.contains_key(*key)).collect();
        let mut stored: Map<Vec<u8>, Vec<u8>> = Map::default();
        for (key, value) in missing.iter().zip(state.get_many(LATEST, &missing)?) {
            if let Some(value) = value {
                stored.insert((*key).clone(), value);
            }
        }
        for (key, (bundle, series, slice)) in keys.into_iter().zip(slices) {
            let row = convert::row(slice);
            let width = self.plan.bundles[bundle].columns.len();
            if row.len() != width {
                return Err(state.damaged("a partial has another number of columns than its bundle"));
            }
            let before = match (self.latest.get(&key), stored.get(&key)) {
                (Some(before), _) => before.to_vec(),
                (None, Some(bytes)) => {
                    decode_row(bytes, width).ok_or_else(|| state.damaged("a slice does not decode"))?
                }
                (None, None) => vec![0; width],
            };
            let delta: Vec<i128> = row.iter().zip(&before).map(|(now, then)| now - then).collect();
            let values: Vec<&str> = series.dimensions.iter().map(String::as_str).collect();
            self.rollup.add(bundle, &values, slice.start_s * convert::MICROS, &delta);
            self.latest.insert(key, row.into());
        }
        Ok(())
    }

    fn publish(&mut self, instant: Time, outputs: &mut Vec<Output>) {
        let previous = self.rollup.clock();
        for change in self.rollup.close(instant) {
            let mut row = Vec::new();
            change.row.encode(&mut row);
            let topic = self.metric_topics[change.metric].clone();
            outputs.push(snapshot_output(&topic, 0, self.snapshot(&change, instant)));
            self.rows.insert(change.key, row);
        }
        if instant.div_euclid(convert::MICROS) > previous.div_euclid(convert::MICROS) {
            for (metric, topic) in self.plan.metrics.iter().zip(&self.metric_topics) {
                if metric.per == processor_core::catalog::Per::Tenant {
                    outputs.push(tick_output(topic, 0, instant));
                }
            }
        }
    }

    fn snapshot(&self, change: &Change, instant: Time) -> v1::Snapshot {
        let metric = &self.plan.metrics[change.metric];
        let names = metric.views[change.view].by.iter();
        let mut dimensions: Vec<v1::Dimension> = names
            .zip(&change.values)
            .map(|(name, value)| v1::Dimension { name: name.clone(), value: value.clone() })
            .collect();
        if !change.currency.is_empty() {
            dimensions.push(v1::Dimension { name: "currency".to_owned(), value: change.currency.clone() });
        }
        v1::Snapshot {
            key: Some(v1::SnapshotKey {
                tenant: "default".to_owned(),
                definition: metric.definition.clone(),
                dimensions,
                account: None,
                window: Some(convert::window(&change.window)),
            }),
            metric: metric.name.clone(),
            revision_us: instant,
            value: change.row.value,
            num: change.row.ratio.map(|(num, _)| num.to_string()),
            den: change.row.ratio.map(|(_, den)| den.to_string()),
            unit: metric.unit.clone(),
            currency: change.currency.clone(),
            r#final: change.row.is_final,
            corrected: change.row.corrected,
            reason: change.row.reason.clone(),
            since_us: None,
            causes: Vec::new(),
        }
    }
}

impl Fold for Rollups {
    const TABLES: &'static [&'static str] = &[LATEST, ROWS, PENDING, META];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let mut progress = Progress { applied: 0, closed: None };
        for stored in records {
            let entry = stored.record.value.clone().map(v1::PartialEntry::decode);
            let Some(Ok(entry)) = entry else {
                return Err(unreadable("rollup", stored.offset, "a partial does not decode"));
            };
            progress.applied += 1;
            let (source, instant, closes) = (entry.source as usize, entry.instant_us, entry.closes);
            if source >= self.sources.len() {
                return Err(unreadable("rollup", stored.offset, format!("there is no source partition {source}")));
            }
            self.pending.insert((instant, entry.source, self.arrived), entry);
            self.arrived += 1;
            if closes {
                self.sources[source] = self.sources[source].max(instant);
                self.handle(state, outputs)?;
                // Every mark is a place to commit: what waits is part of the state.
                progress.closed = Some(stored.offset + 1);
                if pause {
                    break;
                }
            }
        }
        Ok(progress)
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        let mut latest: Vec<_> = self.latest.drain().collect();
        latest.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, row) in latest {
            batch.put(LATEST, &key, &encode_row(&row))?;
        }
        for (key, row) in std::mem::take(&mut self.rows) {
            batch.put(ROWS, &key, &row)?;
        }
        for key in self.handled.drain(..) {
            batch.delete(PENDING, &pending_key(&key))?;
        }
        for (key, entry) in self.pending.iter().filter(|(key, _)| key.2 >= self.stored) {
            batch.put(PENDING, &pending_key(key), &entry.encode_to_vec())?;
        }
        self.stored = self.arrived;
        batch.put(META, META_KEY, &encode_meta(self.rollup.clock(), &self.sources, self.arrived))
    }

    fn dirty(&self) -> usize {
        self.latest.len() * 200 + self.rows.len() * 150
    }
}

fn latest_key(source: u32, series: &v1::SeriesPartial, start: Time) -> Vec<u8> {
    let mut key = source.to_be_bytes().to_vec();
    key.extend_from_slice(&series.bundle.to_be_bytes());
    put_signed(&mut key, start.into());
    series.dimensions.iter().for_each(|value| put_text(&mut key, value));
    key
}

fn pending_key(key: &(Time, u32, u64)) -> Vec<u8> {
    [&key.0.to_be_bytes()[..], &key.1.to_be_bytes(), &key.2.to_be_bytes()].concat()
}

fn parse_pending(key: &[u8]) -> Option<(Time, u32, u64)> {
    let (instant, rest) = key.split_first_chunk::<8>()?;
    let (source, number) = rest.split_first_chunk::<4>()?;
    Some((Time::from_be_bytes(*instant), u32::from_be_bytes(*source), u64::from_be_bytes(number.try_into().ok()?)))
}

fn encode_meta(clock: Time, sources: &[Time], arrived: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_signed(&mut out, clock.into());
    put(&mut out, arrived.into());
    sources.iter().for_each(|clock| put_signed(&mut out, (*clock).into()));
    out
}

fn decode_meta(bytes: &[u8]) -> Option<(Time, Vec<Time>, u64)> {
    let mut from = Reader(bytes);
    let (clock, arrived) = (from.get_time()?, u64::try_from(from.get()?).ok()?);
    let mut sources = Vec::new();
    while !from.0.is_empty() {
        sources.push(from.get_time()?);
    }
    Some((clock, sources, arrived))
}
