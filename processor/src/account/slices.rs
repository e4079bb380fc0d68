//! Slices of a partition: what each has summed up so far, and the partials that say so.
//!
//! Invariant: a cache of the state below it; what changed is written at the next flush.

use processor_core::{calendar::Time, codec::put_text, engine::Engine, map::Map, series::Rows};
use proto::v1;
use task::{Batch, Result, State};

use super::{decode_row, encode_row, ordered};
use crate::convert;

/// Rows of slices, by bundle, dimension values and start.
pub(super) const SLICES: &str = "slices";

/// Slices of a partial entry.
const ENTRY_SLICES: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Slices {
    held: Map<(u32, Time), Slice>,
    /// Changed since the last flush.
    dirty: Vec<(u32, Time)>,
}

#[derive(Debug)]
struct Slice {
    row: Box<[i128]>,
    dirty: bool,
}

impl Slices {
    /// Number of slices that changed since the last flush.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// Loads the slices that are not held; a missing one is zero.
    pub(super) fn load(
        &mut self,
        keys: impl Iterator<Item = (u32, Time)>,
        engine: &Engine,
        state: &State,
    ) -> Result<()> {
        let missing: Vec<(u32, Time)> = keys.filter(|key| !self.held.contains_key(key)).collect();
        let stored: Vec<Vec<u8>> = missing.iter().map(|key| state_key(*key, engine)).collect();
        for (key, bytes) in missing.into_iter().zip(state.get_many(SLICES, &stored)?) {
            let width = engine.plan().bundles[engine.describe(key.0).0].columns.len();
            let row = match bytes {
                None => vec![0; width],
                Some(bytes) => decode_row(&bytes, width).ok_or_else(|| state.damaged("a slice does not decode"))?,
            };
            self.held.insert(key, Slice { row: row.into(), dirty: false });
        }
        Ok(())
    }

    /// Adds the changes of an instant to slices that are loaded; the partials of it, of which the
    /// last closes it.
    pub(super) fn add(&mut self, clock: Time, partition: u32, rows: Rows, engine: &Engine) -> Vec<v1::PartialEntry> {
        let plan = engine.plan();
        let entry = || v1::PartialEntry {
            source: partition,
            instant_us: clock,
            generation: plan.generation,
            series: Vec::new(),
            closes: false,
        };
        let mut entries = vec![entry()];
        let (mut last_series, mut count) = (None, 0);
        for ((series, start), delta) in rows {
            let slice = self.held.get_mut(&(series, start)).expect("slices are loaded before they are added to");
            slice.row.iter_mut().zip(delta.iter()).for_each(|(sum, change)| *sum += change);
            if !slice.dirty {
                slice.dirty = true;
                self.dirty.push((series, start));
            }
            if count == ENTRY_SLICES {
                entries.push(entry());
                (last_series, count) = (None, 0);
            }
            count += 1;
            let last = entries.len() - 1;
            if last_series != Some(series) {
                let (bundle, values) = engine.describe(series);
                let dimensions = values.into_iter().map(str::to_owned).collect();
                entries[last].series.push(v1::SeriesPartial {
                    bundle: plan.bundles[bundle].hash,
                    dimensions,
                    slices: Vec::new(),
                });
                last_series = Some(series);
            }
            let partial = entries[last].series.last_mut().expect("the series of this slice was pushed");
            partial.slices.push(convert::slice(start, &slice.row));
        }
        entries.last_mut().expect("an instant has an entry").closes = true;
        entries
    }

    /// Forgets all slices: the numbers of their series mean nothing any more. After a flush.
    pub(super) fn forget(&mut self) {
        self.held = Map::default();
    }

    /// Writes what changed; with more than `keep` held, all are let go.
    pub(super) fn flush(&mut self, keep: usize, engine: &Engine, batch: &mut Batch<'_>) -> Result<()> {
        let mut dirty = Vec::with_capacity(self.dirty.len());
        for key in self.dirty.drain(..) {
            let slice = self.held.get_mut(&key).expect("a slice that changed is held until it is flushed");
            slice.dirty = false;
            dirty.push((state_key(key, engine), encode_row(&slice.row)));
        }
        dirty.sort_unstable();
        for (key, row) in dirty {
            batch.put(SLICES, &key, &row)?;
        }
        if self.held.len() > keep {
            self.held.clear();
        }
        Ok(())
    }
}

fn state_key((series, start): (u32, Time), engine: &Engine) -> Vec<u8> {
    let (bundle, values) = engine.describe(series);
    let mut key = engine.plan().bundles[bundle].hash.to_be_bytes().to_vec();
    values.iter().for_each(|value| put_text(&mut key, value));
    key.extend_from_slice(&ordered(start));
    key
}
