//! The buckets of quantiles, minima and maxima: of each series of such a bundle, how many facts fell into each bucket, slice by slice.
//!
//! A series of the log has its bucket as the last of its values. Here all buckets of a series are together; what the rollup
//! keeps under the series itself is the sum over them, which says where anything stands.
//!
//! Invariant: a bucket is held only where something stands in a slice of it. Exact buckets are many, one a ticket for each set
//! of dimensions: one that begins and ends within one slice is not held.

use std::collections::{BTreeMap, BTreeSet};

use super::table::Table;
use crate::{
    aggregate::quantile::{Bucket, middle, nearest_rank, of_rank},
    calendar::Time,
    map::Map,
    plan::Plan,
};

/// Changes of a bucket of a series, slice by slice.
type Slices = BTreeMap<Time, Box<[i128]>>;

/// So many neighbouring buckets are a group: a quarter of a power of two.
const GROUP: Bucket = 32;

/// The buckets of a series, and the sums of groups of them: what is looked for is found among the groups first.
#[derive(Debug, Default)]
struct Grouped {
    groups: BTreeMap<Bucket, Table>,
    buckets: BTreeMap<Bucket, Table>,
}

impl Grouped {
    /// Adds to a bucket; answers its slices.
    fn add(&mut self, bucket: Bucket, slices: &[(Time, Box<[i128]>)]) -> &Table {
        self.groups.entry(bucket.div_euclid(GROUP)).or_default().add(slices);
        let table = self.buckets.entry(bucket).or_default();
        table.add(slices);
        table
    }

    /// Forgets a bucket, and its group, where nothing stands in any slice.
    fn tidy(&mut self, bucket: Bucket) {
        for (tables, place) in [(&mut self.groups, bucket.div_euclid(GROUP)), (&mut self.buckets, bucket)] {
            if tables.get(&place).is_some_and(Table::is_zero) {
                tables.remove(&place);
            }
        }
    }

    /// The buckets of a group.
    fn of(&self, group: Bucket) -> impl DoubleEndedIterator<Item = (&Bucket, &Table)> {
        self.buckets.range(group * GROUP..(group + 1) * GROUP)
    }
}

/// The buckets of all series.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    of: Map<u32, Grouped>,
    /// By series and column, the buckets in which anything stands after all slices.
    standing: Map<(u32, usize), BTreeSet<Bucket>>,
    /// The latest slice of each series.
    latest: Map<u32, Time>,
    /// Those of the instant, not added yet.
    new: BTreeMap<(u32, Bucket), Slices>,
}

/// The bucket that the values of a series end with, and the other values; `None` where a bundle has no buckets.
pub(super) fn split<'v, 'a>(plan: &Plan, bundle: usize, values: &'v [&'a str]) -> (&'v [&'a str], Option<Bucket>) {
    match (plan.bundles[bundle].bucket, values.split_last()) {
        // A fact without the field has no bucket, and is in no quantile.
        (Some(_), Some((bucket, values))) => (values, bucket.parse().ok()),
        _ => (values, None),
    }
}

impl Buckets {
    /// Notes a change of a bucket in a slice of a series.
    pub(super) fn note(&mut self, series: u32, bucket: Bucket, slice: Time, row: &[i128]) {
        let sums =
            self.new.entry((series, bucket)).or_default().entry(slice).or_insert_with(|| vec![0; row.len()].into());
        sums.iter_mut().zip(row).for_each(|(sum, change)| *sum += change);
    }

    /// Adds what was noted.
    pub(super) fn add(&mut self) {
        for ((series, bucket), slices) in std::mem::take(&mut self.new) {
            let slices: Vec<(Time, Box<[i128]>)> = slices.into_iter().collect();
            let of = self.of.entry(series).or_default();
            let table = of.add(bucket, &slices);

            let (last, row) = slices.last().expect("a bucket is noted with a slice");
            let latest = self.latest.entry(series).or_insert(*last);
            *latest = (*latest).max(*last);
            for column in 0..row.len() {
                let standing = self.standing.entry((series, column)).or_default();
                if table.before(column, Time::MAX) > 0 {
                    standing.insert(bucket)
                } else {
                    standing.remove(&bucket)
                };
            }
            of.tidy(bucket);
        }
    }

    /// The least or greatest bucket in which anything is in `[from, to)`; `None` where there is nothing.
    pub(super) fn extreme(
        &self,
        series: u32,
        column: usize,
        (from, to): (Time, Time),
        greatest: bool,
    ) -> Option<Bucket> {
        if from == Time::MIN && self.latest.get(&series)? < &to {
            let standing = self.standing.get(&(series, column))?;
            return if greatest { standing.last() } else { standing.first() }.copied();
        }
        let of = self.of.get(&series)?;
        let held = |(_, table): &(&Bucket, &Table)| table.sum(column, from, to) > 0;
        let found = if greatest {
            let mut groups = of.groups.iter().rev().filter(held);
            groups.find_map(|(group, _)| of.of(*group).rev().find(held))
        } else {
            let mut groups = of.groups.iter().filter(held);
            groups.find_map(|(group, _)| of.of(*group).find(held))
        };
        found.map(|(bucket, _)| *bucket)
    }

    /// The value up to which `percent` percent of all in `[from, to)` are; `None` where there are none.
    pub(super) fn quantile(&self, series: u32, column: usize, from: Time, to: Time, percent: u8) -> Option<i64> {
        let of = self.of.get(&series)?;
        let count = |(bucket, table): (&Bucket, &Table)| (*bucket, table.sum(column, from, to));
        let groups: Vec<(Bucket, i128)> = of.groups.iter().map(count).collect();
        let all = groups.iter().map(|(_, count)| count).sum();
        let (group, rank) = of_rank(groups, nearest_rank(all, percent))?;
        let (bucket, _) = of_rank(of.of(group).map(count), rank)?;
        Some(middle(bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_held_as_long_as_something_stands_in_a_slice() {
        let mut buckets = Buckets::default();
        let mut add = |changes: &[(Bucket, Time, i128)]| {
            changes.iter().for_each(|(bucket, slice, count)| buckets.note(0, *bucket, *slice, &[*count]));
            buckets.add();
            let held: Vec<Bucket> = buckets.of[&0].buckets.keys().copied().collect();
            (held, [10, 20, 30].map(|to| buckets.extreme(0, 0, (Time::MIN, to), false)))
        };
        // One that ends in its slice, and one that stands into the next.
        assert_eq!(add(&[(1, 5, 1), (2, 5, 1)]), (vec![1, 2], [Some(1); 3]));
        assert_eq!(add(&[(1, 5, -1), (2, 15, -1)]), (vec![2], [Some(2), None, None]));
        // The end of the first was a day later.
        assert_eq!(add(&[(1, 5, 1), (1, 15, -1)]), (vec![1, 2], [Some(1), None, None]));
    }
}
