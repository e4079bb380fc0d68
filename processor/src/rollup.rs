//! The rollup stage: one task a partition of `partials.v1`.
//!
//! Invariants: an instant is handled when every source partition has closed it; what a source says
//! of later instants waits, on disk from the next flush on; a partial replaces its predecessor of
//! the same source, so merging is free of order.

use std::{collections::BTreeMap, sync::Arc};

use eventlog::{Output, Stored};
use processor_core::{
    calendar::Time,
    catalog::Per,
    codec::{Reader, put, put_signed, put_text},
    map::Map,
    plan::Plan,
    rollup::{Change, Line, Published, Rollup, Wanted},
};
use proto::{Message, v1};
use task::{Batch, Fold, Progress, Result, State};

use crate::{
    account::{Shared, decode_row, encode_row, output, tick_output, unreadable},
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
    /// Latest partials, by source, series and start; a cache of the state.
    latest: Map<(u32, u32, Time), Latest>,
    dirty: usize,
    /// For each line, its snapshot with all that does not change.
    templates: Map<u32, v1::MetricEntry>,
    frozen: u64,
    shared: Arc<Shared>,
    metric_topics: Vec<Arc<str>>,
    bundles: Map<u64, usize>,
}

/// What a source last said of a slice.
struct Latest {
    row: Box<[i128]>,
    /// Whether it changed since the last flush.
    dirty: bool,
}

/// A slice of a partial: bundle, source, series, and where in the entry it stands.
struct Place<'a> {
    bundle: usize,
    key: (u32, u32, Time),
    values: Vec<&'a str>,
    slice: &'a v1::SlicePartial,
}

/// Rows and slices kept in memory after a flush, beside the rows that are open.
const KEEP: usize = 200_000;

impl Rollups {
    /// The fold as its state left it; `sources` is the number of partitions of `events.v1`.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    pub fn open(plan: Arc<Plan>, sources: u32, state: &State, shared: Arc<Shared>) -> Result<Rollups> {
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
            dirty: 0,
            templates: Map::default(),
            frozen: 0,
            shared,
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
            state.scan(PENDING, &[], |key, value| {
                let entry = parse_pending(key).zip(v1::PartialEntry::decode(value).ok());
                intact = entry.map(|(key, entry)| self.pending.insert(key, entry)).is_some();
                intact
            })?;
        }
        if !intact {
            return Err(state.damaged("a slice or waiting partial does not decode"));
        }
        let wanted = self.rollup.restored();
        self.supply(&wanted, state)
    }

    /// Hands rows of the state to the rollup, where they are there.
    fn supply(&mut self, wanted: &[Wanted], state: &State) -> Result<()> {
        let keys: Vec<&[u8]> = wanted.iter().map(|(_, key)| key.as_slice()).collect();
        for ((key, _), bytes) in wanted.iter().zip(state.get_many(ROWS, &keys)?) {
            if let Some(bytes) = bytes {
                let row = Published::decode(&bytes).ok_or_else(|| state.damaged("a row does not decode"))?;
                self.rollup.supply(*key, row);
            }
        }
        Ok(())
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
            self.publish(instant, state, outputs)?;
            handled = true;
        }
        Ok(handled)
    }

    /// Adds what the entry's slices differ from what the same source said before.
    fn merge(&mut self, entry: &v1::PartialEntry, state: &State) -> Result<()> {
        let mut places = Vec::new();
        for series in &entry.series {
            let Some(bundle) = self.bundles.get(&series.bundle).copied() else { continue };
            let values: Vec<&str> = series.dimensions.iter().map(String::as_str).collect();
            let number = self.rollup.series(bundle, &values);
            for slice in &series.slices {
                let key = (entry.source, number, slice.start_s * convert::MICROS);
                places.push(Place { bundle, key, values: values.clone(), slice });
            }
        }
        self.load_latest(&places, state)?;
        for Place { bundle, key, values, slice } in places {
            let row = convert::row(slice);
            let width = self.plan.bundles[bundle].columns.len();
            if row.len() != width {
                return Err(state.damaged("a partial has another number of columns than its bundle"));
            }
            let latest = self.latest.entry(key).or_insert_with(|| Latest { row: vec![0; width].into(), dirty: false });
            let delta: Vec<i128> = row.iter().zip(&latest.row).map(|(now, then)| now - then).collect();
            self.dirty += usize::from(!latest.dirty);
            *latest = Latest { row: row.into(), dirty: true };
            self.rollup.add(bundle, &values, key.2, &delta);
        }
        Ok(())
    }

    /// Loads what the source said before, where any source said anything.
    fn load_latest(&mut self, places: &[Place<'_>], state: &State) -> Result<()> {
        let mut missing = Vec::new();
        for place in places.iter().filter(|place| !self.latest.contains_key(&place.key)) {
            if self.rollup.knows(place.bundle, place.key.1, place.key.2) {
                missing.push((place, self.latest_key(place.key.0, place.bundle, &place.values, place.key.2)));
            }
        }
        let keys: Vec<&[u8]> = missing.iter().map(|(_, key)| key.as_slice()).collect();
        let stored = state.get_many(LATEST, &keys)?;
        for ((place, _), bytes) in missing.iter().zip(stored) {
            if let Some(bytes) = bytes {
                let row = decode_row(&bytes, self.plan.bundles[place.bundle].columns.len());
                let row = row.ok_or_else(|| state.damaged("a slice does not decode"))?;
                self.latest.insert(place.key, Latest { row: row.into(), dirty: false });
            }
        }
        Ok(())
    }

    fn latest_key(&self, source: u32, bundle: usize, values: &[&str], start: Time) -> Vec<u8> {
        let mut key = source.to_be_bytes().to_vec();
        key.extend_from_slice(&self.plan.bundles[bundle].hash.to_be_bytes());
        put_signed(&mut key, start.into());
        values.iter().for_each(|value| put_text(&mut key, value));
        key
    }

    fn publish(&mut self, instant: Time, state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        let previous = self.rollup.clock();
        let wanted = self.rollup.prepare(instant);
        self.supply(&wanted, state)?;
        for change in self.rollup.close() {
            outputs.push(self.snapshot(&change, instant));
        }
        self.shared.add_frozen(self.rollup.frozen() - self.frozen);
        self.frozen = self.rollup.frozen();
        if instant.div_euclid(convert::MICROS) > previous.div_euclid(convert::MICROS) {
            for (metric, topic) in self.plan.metrics.iter().zip(&self.metric_topics) {
                if metric.per == Per::Tenant {
                    outputs.push(tick_output(topic, 0, instant));
                }
            }
        }
        Ok(())
    }

    /// The change as a record of its topic.
    fn snapshot(&mut self, change: &Change, instant: Time) -> Output {
        let Rollups { templates, rollup, plan, metric_topics, .. } = self;
        let line = rollup.line(change.line);
        let entry = templates.entry(change.line).or_insert_with(|| template(plan, line));
        let mut key = Vec::new();
        if let Some(v1::metric_entry::Entry::Snapshot(snapshot)) = &mut entry.entry {
            if let Some(identity) = &mut snapshot.key {
                identity.window = Some(convert::window(&change.window));
                key = identity.encode_to_vec();
            }
            snapshot.revision_us = instant;
            snapshot.value = change.row.value;
            snapshot.num = change.row.ratio.map(|(num, _)| num.to_string());
            snapshot.den = change.row.ratio.map(|(_, den)| den.to_string());
            snapshot.r#final = change.row.is_final;
            snapshot.corrected = change.row.corrected;
            snapshot.reason.clone_from(&change.row.reason);
        }
        output(&metric_topics[line.metric], 0, key, entry.encode_to_vec(), instant)
    }
}

/// The snapshot of a line, with what all its rows share.
fn template(plan: &Plan, line: &Line) -> v1::MetricEntry {
    let metric = &plan.metrics[line.metric];
    let dimension = |name: &str, value: &str| v1::Dimension { name: name.to_owned(), value: value.to_owned() };
    let names = metric.views[line.view].by.iter();
    let mut dimensions: Vec<v1::Dimension> =
        names.zip(line.values(plan)).map(|(name, value)| dimension(name, value)).collect();
    let currency = line.currency(plan);
    if !currency.is_empty() {
        dimensions.push(dimension("currency", currency));
    }
    let snapshot = v1::Snapshot {
        key: Some(v1::SnapshotKey {
            tenant: "default".to_owned(),
            definition: metric.definition.clone(),
            dimensions,
            account: None,
            window: None,
        }),
        metric: metric.name.clone(),
        unit: metric.unit.clone(),
        currency: currency.to_owned(),
        ..v1::Snapshot::default()
    };
    v1::MetricEntry { entry: Some(v1::metric_entry::Entry::Snapshot(snapshot)) }
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
            // What another catalog says is not for this one: its own sources will say it again.
            if entry.generation != self.plan.generation {
                continue;
            }
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
        let mut latest = Vec::with_capacity(self.dirty);
        for ((source, series, start), slice) in self.latest.iter_mut().filter(|(_, slice)| slice.dirty) {
            slice.dirty = false;
            latest.push((*source, *series, *start, encode_row(&slice.row)));
        }
        let mut latest: Vec<(Vec<u8>, Vec<u8>)> = latest
            .into_iter()
            .map(|(source, series, start, row)| {
                let (bundle, values) = self.rollup.describe(series);
                (self.latest_key(source, bundle, &values, start), row)
            })
            .collect();
        latest.sort_unstable();
        for (key, row) in latest {
            batch.put(LATEST, &key, &row)?;
        }
        for (key, row) in self.rollup.flush(KEEP) {
            batch.put(ROWS, &key, &row)?;
        }
        self.dirty = 0;
        if self.latest.len() > KEEP {
            self.latest.clear();
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
        self.dirty * 200 + self.rollup.dirty() * 150
    }
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
