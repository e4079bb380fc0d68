//! One series: running sums over its slices.
//!
//! Invariants: slices ascend; the sums of a slice hold all slices up to it, so the sum of any range
//! is a difference of two look-ups. A change of the latest slice touches one row of sums, a late one
//! all rows after it.

use crate::calendar::Time;

/// The slices of one series.
#[derive(Debug, Default)]
pub(super) struct Table {
    starts: Vec<Time>,
    /// For each slice, the sums of every column up to it.
    sums: Vec<i128>,
    width: usize,
}

impl Table {
    /// Adds to a slice.
    pub(super) fn add(&mut self, slice: Time, delta: &[i128]) {
        self.width = delta.len();
        let at = self.place(slice);
        if self.starts.get(at) != Some(&slice) {
            self.starts.insert(at, slice);
            let before = self.row(at);
            self.sums.splice(at * self.width..at * self.width, before);
        }
        for row in self.sums[at * self.width..].chunks_exact_mut(self.width.max(1)) {
            row.iter_mut().zip(delta).for_each(|(sum, change)| *sum += change);
        }
    }

    /// Sum of everything before `at`.
    pub(super) fn before(&self, column: usize, at: Time) -> i128 {
        match self.place(at) {
            0 => 0,
            slices => self.sums[(slices - 1) * self.width + column],
        }
    }

    /// Sum of `[from, to)`.
    pub(super) fn sum(&self, column: usize, from: Time, to: Time) -> i128 {
        self.before(column, to) - self.before(column, from)
    }

    /// The first slice in which anything stands.
    pub(super) fn first(&self) -> Option<Time> {
        (0..self.starts.len()).find(|at| self.differs(*at)).map(|at| self.starts[at])
    }

    /// All slices, zero ones included.
    pub(super) fn slices(&self) -> &[Time] {
        &self.starts
    }

    /// Whether there is a slice in `[from, to)`.
    pub(super) fn holds(&self, from: Time, to: Time) -> bool {
        self.place(from) < self.place(to)
    }

    /// Number of slices before `at`; most questions are about the latest.
    fn place(&self, at: Time) -> usize {
        match self.starts.last() {
            Some(last) if *last < at => self.starts.len(),
            Some(last) if *last == at => self.starts.len() - 1,
            _ => self.starts.partition_point(|start| *start < at),
        }
    }

    /// The sums of the first `slices` slices.
    fn row(&self, slices: usize) -> Vec<i128> {
        match slices {
            0 => vec![0; self.width],
            slices => self.sums[(slices - 1) * self.width..slices * self.width].to_vec(),
        }
    }

    fn differs(&self, at: usize) -> bool {
        let row = &self.sums[at * self.width..(at + 1) * self.width];
        match at {
            0 => row.iter().any(|sum| *sum != 0),
            at => row != &self.sums[(at - 1) * self.width..at * self.width],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_the_slices(changes: Vec<(i8, i8, i8)>, from: i8, to: i8) {
            let mut table = Table::default();
            let mut slices: BTreeMap<Time, [i128; 2]> = BTreeMap::new();
            for (slice, a, b) in changes {
                table.add(slice.into(), &[a.into(), b.into()]);
                let row = slices.entry(slice.into()).or_default();
                row[0] += i128::from(a);
                row[1] += i128::from(b);
            }
            let (from, to) = (Time::from(from.min(to)), Time::from(from.max(to)));
            for column in [0, 1] {
                let expected: i128 = slices.range(from..to).map(|(_, row)| row[column]).sum();
                prop_assert_eq!(table.sum(column, from, to), expected);
            }
            let first = slices.iter().find(|(_, row)| **row != [0, 0]).map(|(start, _)| *start);
            prop_assert_eq!(table.first(), first);
            prop_assert_eq!(table.holds(from, to), slices.range(from..to).next().is_some());
        }
    }
}
