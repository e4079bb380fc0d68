//! What an instant changes, summed over all source partitions.
//!
//! Invariant: but for slices whose changes cancel out, what is here does not depend on how accounts are spread over
//! partitions. Those are kept, so that it is known of which slices storage holds something.

use crate::{calendar::Time, map::Map, series::Series};

/// Changes of slices, by series.
#[derive(Debug, Default)]
pub struct Changes {
    /// Series as they arrive, with all values of their dimensions; the numbers are of this instant only.
    series: Series,
    rows: Map<(u32, Time), Box<[i128]>>,
}

/// Series number, slice and what is added to its columns.
pub(super) type Sorted = Vec<(u32, Time, Box<[i128]>)>;

impl Changes {
    /// Adds to a slice of the series of `bundle` with these dimension values.
    pub fn add(&mut self, bundle: usize, values: &[&str], slice: Time, row: &[i128]) {
        let series = self.series.number(bundle, values.iter().copied());
        let sums = self.rows.entry((series, slice)).or_insert_with(|| vec![0; row.len()].into());
        sums.iter_mut().zip(row).for_each(|(sum, change)| *sum += change);
    }

    /// The changes by series and slice; and what the numbers of the series mean.
    pub(super) fn into_sorted(self) -> (Series, Sorted) {
        let mut rows: Sorted = self.rows.into_iter().map(|((series, slice), row)| (series, slice, row)).collect();
        rows.sort_unstable_by_key(|(series, slice, _)| (*series, *slice));
        (self.series, rows)
    }
}
