//! Slices of a partition: what each has summed up so far, and the partials that say so.
//!
//! Invariant: a slice is loaded before anything is added to it.

use processor_core::{calendar::Time, codec::put_text, engine::Engine, series::Rows};
use proto::v1;
use task::{Batch, Cache, Result, State};

use super::{decode_row, encode_row, ordered};
use crate::convert;

/// Rows of slices, by bundle, dimension values and start.
pub(super) const SLICES: &str = "slices";

/// Slices of a partial entry.
const ENTRY_SLICES: usize = 1_000;

#[derive(Debug)]
pub(super) struct Slices(Cache<(u32, Time), Box<[i128]>>);

impl Default for Slices {
    fn default() -> Self {
        Slices(Cache::new(SLICES))
    }
}

impl Slices {
    /// Number of slices that changed since the last flush.
    pub(super) fn dirty(&self) -> usize {
        self.0.dirty()
    }

    /// Loads the slices that are not held; a missing one is zero.
    pub(super) fn load(
        &mut self,
        keys: impl Iterator<Item = (u32, Time)>,
        engine: &Engine,
        state: &State,
    ) -> Result<()> {
        let row = |key: &(u32, Time), bytes: Option<Vec<u8>>| {
            let width = engine.plan().bundles[engine.describe(key.0).0].columns.len();
            let row = match bytes {
                None => vec![0; width],
                Some(bytes) => decode_row(&bytes, width).ok_or_else(|| state.damaged("a slice does not decode"))?,
            };
            Ok(row.into())
        };
        self.0.load(keys, state, |key| state_key(*key, engine), row)
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
            let row = self.0.change((series, start));
            row.iter_mut().zip(delta.iter()).for_each(|(sum, change)| *sum += change);
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
            partial.slices.push(convert::slice(start, row));
        }
        entries.last_mut().expect("an instant has an entry").closes = true;
        entries
    }

    /// Forgets all slices: the numbers of their series mean nothing any more. After a flush.
    pub(super) fn forget(&mut self) {
        self.0.forget();
    }

    /// Writes what changed; with more than `keep` slices held, all are forgotten.
    pub(super) fn flush(&mut self, keep: usize, engine: &Engine, batch: &mut Batch<'_>) -> Result<()> {
        self.0.flush(keep, batch, |key, row| (state_key(*key, engine).into(), encode_row(row).into()))
    }
}

fn state_key((series, start): (u32, Time), engine: &Engine) -> Vec<u8> {
    let (bundle, values) = engine.describe(series);
    let mut key = engine.plan().bundles[bundle].hash.to_be_bytes().to_vec();
    values.iter().for_each(|value| put_text(&mut key, value));
    key.extend_from_slice(&ordered(start));
    key
}
