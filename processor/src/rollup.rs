//! The rollup stage: one task a partition of `partials.v1`.
//!
//! Invariants: an instant is handled when every source partition has closed it; what a source says
//! of later instants waits, on disk from the next flush on; a partial replaces its predecessor of
//! the same source, so merging is free of order. Partials keep every value of every dimension; which of
//! them have rows of their own is decided in the core, by instant and value.

use std::{borrow::Cow, sync::Arc};

use eventlog::{Output, Stored};
use processor_core::{
    calendar::Time,
    catalog::Per,
    codec::{Reader, put, put_signed, put_text},
    map::Map,
    plan::Plan,
    rollup::{Changes, Published, Rollup, Wanted},
};
use proto::v1;
use task::{Batch, Cache, Fold, Progress, Result, State};

use crate::{
    account::{Shared, decode_row, encode_row, tick_output},
    convert,
    pending::{self, Pending},
    topics,
};

mod snapshot;

use snapshot::Snapshots;

const LATEST: &str = "latest";
const ROWS: &str = "rows";
/// Lines by name, with the ids that keys of [`ROWS`] know them by.
const LINES: &str = "lines";
/// Values of dimensions that have rows of their own.
const VALUES: &str = "values";
const META: &str = "meta";
const META_KEY: &[u8] = b"rollup";

/// Version of the entries of [`VALUES`], their only content.
const VALUE_VERSION: u8 = 1;

/// Version of all tables but that: keys of rows name their line by its id since 2. A state of another version does not decode,
/// and is made again from the log.
const META_VERSION: u8 = 2;

/// The fold of one partition of partials.
pub struct Rollups {
    plan: Arc<Plan>,
    rollup: Rollup,
    /// Partials of instants that not all sources have closed.
    pending: Pending<v1::PartialEntry>,
    /// What each source last said of a slice, by its key in the state.
    latest: Cache<Box<[u8]>, Row>,
    /// Changes of the instant that is being handled.
    changes: Changes,
    snapshots: Snapshots,
    /// The first instant of all; [`Time::MAX`] before it.
    since: Time,
    frozen: u64,
    shared: Arc<Shared>,
    metric_topics: Vec<Arc<str>>,
    bundles: Map<u64, usize>,
}

/// A row as it is in the state, a tenth of the size of its numbers; empty where there is none.
type Row = Box<[u8]>;

/// A slice of a partial, and its key in the state.
struct Place<'a> {
    bundle: usize,
    key: Box<[u8]>,
    values: &'a [&'a str],
    slice: &'a v1::SlicePartial,
}

/// Rows kept in memory after a flush, beside the rows that are open; and slices.
const KEEP: usize = 100_000;

/// After this many outputs the worker gets its turn, so that it can commit: an instant may have very many.
const OUTPUTS: usize = 20_000;

impl Rollups {
    /// The fold as its state left it; `sources` is the number of partitions of `events.v1`.
    ///
    /// # Errors
    /// When the state cannot be read or is damaged.
    pub fn open(plan: Arc<Plan>, sources: u32, state: &State, shared: Arc<Shared>) -> Result<Rollups> {
        let damaged = || state.damaged("the clocks of the sources do not decode");
        let meta = match state.get(META, META_KEY)? {
            None => Meta::new(sources),
            Some(bytes) => {
                Meta::decode(&bytes).filter(|meta| meta.sources.len() == sources as usize).ok_or_else(damaged)?
            }
        };
        let mut rollups = Rollups {
            rollup: Rollup::new(plan.clone(), meta.clock),
            pending: Pending::new(meta.sources, meta.arrived),
            latest: Cache::new(LATEST),
            changes: Changes::default(),
            snapshots: Snapshots::new(&plan),
            since: meta.since,
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
        state.scan(VALUES, &[], |key, _| {
            intact = self.rollup.restore_value(key).is_some();
            intact
        })?;
        if intact {
            state.scan(LINES, &[], |name, id| {
                let id = id.try_into().map(u32::from_be_bytes);
                intact = id.map(|id| self.rollup.restore_line(name, id)).is_ok();
                intact
            })?;
        }
        let mut slices = Changes::default();
        if intact {
            state.scan(LATEST, &[], |key, value| {
                intact = self.restore_slice(key, value, &mut slices).is_some();
                intact
            })?;
        }
        if !(intact && self.pending.load(state)?) {
            return Err(state.damaged("a value, line, slice or waiting partial does not decode"));
        }
        let wanted = self.rollup.restore(slices);
        self.supply(&wanted, state)
    }

    /// Hands rows of the state to the rollup, where they are there.
    fn supply(&mut self, wanted: &[Wanted], state: &State) -> Result<()> {
        let keys: Vec<&[u8]> = wanted.iter().map(|(_, key)| key.as_slice()).collect();
        for ((key, _), bytes) in wanted.iter().zip(state.get_many(ROWS, &keys)?) {
            if let Some(bytes) = bytes {
                let row = Published::decode(&bytes).ok_or_else(|| state.damaged("a row does not decode"))?;
                self.rollup.supply(*key, &row);
            }
        }
        Ok(())
    }

    fn restore_slice(&self, key: &[u8], value: &[u8], slices: &mut Changes) -> Option<()> {
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
        slices.add(bundle, &values, start, &row);
        Some(())
    }

    /// Handles every instant that all sources have closed.
    fn handle(&mut self, state: &State, outputs: &mut Vec<Output>) -> Result<()> {
        while let Some((instant, entries)) = self.pending.next_ready() {
            for entry in entries {
                self.merge(&entry, state)?;
            }
            self.publish(instant, state, outputs)?;
        }
        Ok(())
    }

    /// Adds what the entry's slices differ from what the same source said before.
    fn merge(&mut self, entry: &v1::PartialEntry, state: &State) -> Result<()> {
        let mut texts: Vec<(usize, Vec<&str>, &v1::SeriesPartial)> = Vec::with_capacity(entry.series.len());
        for series in &entry.series {
            let bundle = self.bundles.get(&series.bundle);
            let bundle = bundle.expect("a partial of this generation is of a bundle of its plan");
            texts.push((*bundle, series.dimensions.iter().map(String::as_str).collect(), series));
        }
        let mut places = Vec::new();
        for (bundle, values, series) in &texts {
            for slice in &series.slices {
                let key = self.latest_key(entry.source, *bundle, values, slice.start_s * convert::MICROS);
                places.push(Place { bundle: *bundle, key: key.into(), values, slice });
            }
        }
        self.load_latest(&places, state)?;

        for Place { bundle, key, values, slice } in places {
            let row = convert::row(slice);
            let width = self.plan.bundles[bundle].columns.len();
            if row.len() != width {
                return Err(state.damaged("a partial has another number of columns than its bundle"));
            }
            let mut delta = row.clone();
            let latest = self.latest.change_or(key, Row::default);
            if !latest.is_empty() {
                let then = decode_row(latest, width).expect("a slice that is held was encoded here, or checked");
                delta.iter_mut().zip(then).for_each(|(now, then)| *now -= then);
            }
            *latest = encode_row(&row).into();
            self.changes.add(bundle, values, slice.start_s * convert::MICROS, &delta);
        }
        Ok(())
    }

    /// Loads what the source said before, where any source said anything.
    fn load_latest(&mut self, places: &[Place<'_>], state: &State) -> Result<()> {
        let known = |place: &&Place<'_>| {
            !self.latest.holds(&place.key)
                && self.rollup.knows(place.bundle, place.values, place.slice.start_s * convert::MICROS)
        };
        let missing: Map<&[u8], &Place<'_>> = places.iter().filter(known).map(|place| (&*place.key, place)).collect();
        let row = |key: &Row, bytes: Option<Vec<u8>>| {
            let bytes = bytes.unwrap_or_default();
            let width = self.plan.bundles[missing[&**key].bundle].columns.len();
            if !bytes.is_empty() {
                decode_row(&bytes, width).ok_or_else(|| state.damaged("a slice does not decode"))?;
            }
            Ok(bytes.into())
        };
        let keys: Vec<Row> = missing.keys().map(|key| (*key).into()).collect();
        self.latest.load(keys.into_iter(), state, Clone::clone, row)
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
        self.since = self.since.min(instant);
        self.rollup.merge(std::mem::take(&mut self.changes));
        self.shared.add_others(self.rollup.take_others());
        let wanted = self.rollup.prepare(instant);
        self.supply(&wanted, state)?;
        let Rollups { rollup, snapshots, plan, metric_topics, .. } = self;
        rollup.close(|line, change| snapshots.add(plan, line, change, instant, metric_topics, outputs));
        snapshots.hand_out(instant, metric_topics, outputs);
        self.shared.add_frozen(self.rollup.frozen() - self.frozen);
        self.frozen = self.rollup.frozen();
        if instant.div_euclid(convert::MICROS) > previous.div_euclid(convert::MICROS) {
            for (metric, topic) in self.plan.metrics.iter().zip(&self.metric_topics) {
                if metric.per == Per::Tenant {
                    outputs.push(tick_output(topic, 0, instant, Some(self.since)));
                }
            }
        }
        Ok(())
    }
}

impl Fold for Rollups {
    const TABLES: &'static [&'static str] = &[LATEST, ROWS, LINES, VALUES, pending::TABLE, META];

    fn apply(&mut self, records: &[Stored], state: &State, pause: bool, outputs: &mut Vec<Output>) -> Result<Progress> {
        let mut progress = Progress { applied: 0, closed: None };
        for stored in records {
            let closes = self.pending.take(stored, self.plan.generation, "rollup", "a partial")?;
            progress.applied += 1;
            if closes {
                self.handle(state, outputs)?;
                // Every mark is a place to commit: what waits is part of the state.
                progress.closed = Some(stored.offset + 1);
                if pause || outputs.len() >= OUTPUTS {
                    break;
                }
            }
        }
        Ok(progress)
    }

    fn flush(&mut self, _state: &State, batch: &mut Batch<'_>) -> Result<()> {
        self.latest.flush(KEEP, batch, |key, row| (Cow::from(&**key), Cow::from(&**row)))?;
        for key in self.rollup.flush_values() {
            batch.put(VALUES, &key, &[VALUE_VERSION])?;
        }
        for (name, id) in self.rollup.flush_lines() {
            batch.put(LINES, &name, &id.to_be_bytes())?;
        }
        self.rollup.flush(KEEP, |key, row| batch.put(ROWS, key, row))?;
        self.pending.flush(batch)?;
        let (arrived, sources) = (self.pending.arrived(), self.pending.sources().to_vec());
        let meta = Meta { clock: self.rollup.clock(), since: self.since, arrived, sources };
        batch.put(META, META_KEY, &meta.encode())
    }

    fn dirty(&self) -> usize {
        self.latest.dirty() * 150 + self.rollup.dirty() * 80
    }
}

/// Clocks of the rollup, and how many partials have arrived.
struct Meta {
    clock: Time,
    since: Time,
    arrived: u64,
    sources: Vec<Time>,
}

impl Meta {
    fn new(sources: u32) -> Meta {
        Meta { clock: Time::MIN, since: Time::MAX, arrived: 0, sources: vec![Time::MIN; sources as usize] }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![META_VERSION];
        put_signed(&mut out, self.clock.into());
        put_signed(&mut out, self.since.into());
        put(&mut out, self.arrived.into());
        self.sources.iter().for_each(|clock| put_signed(&mut out, (*clock).into()));
        out
    }

    fn decode(bytes: &[u8]) -> Option<Meta> {
        let mut from = Reader(bytes.strip_prefix(&[META_VERSION])?);
        let (clock, since) = (from.get_time()?, from.get_time()?);
        let arrived = u64::try_from(from.get()?).ok()?;
        let mut sources = Vec::new();
        while !from.0.is_empty() {
            sources.push(from.get_time()?);
        }
        Some(Meta { clock, since, arrived, sources })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_of_an_earlier_version_do_not_decode() {
        let meta = Meta { clock: 1_767_225_600_000_000, since: 7, arrived: 3, sources: vec![-5, 9] };
        let bytes = meta.encode();
        let read = Meta::decode(&bytes).unwrap();
        assert_eq!((read.clock, read.since, read.arrived, read.sources), (meta.clock, 7, 3, vec![-5, 9]));
        // Version 1 had no byte of its own.
        assert!(Meta::decode(&bytes[1..]).is_none());
    }
}
