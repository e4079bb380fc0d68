//! One series: running sums over its slices.
//!
//! Invariants: slices ascend; the sums of a slice hold all slices up to it, so the sum of any range
//! is a difference of two look-ups. Changes of the latest slices touch few rows of sums; changes of
//! old ones touch all rows after the first, once for all changes of an instant.

use crate::{
    calendar::{SECOND, Time},
    plan::{Read, Reading},
};

/// The slices of one series.
#[derive(Debug, Default)]
pub(super) struct Table {
    starts: Vec<Time>,
    /// For each slice, the sums of every column up to it.
    sums: Vec<i128>,
    width: usize,
}

impl Table {
    /// Adds to slices, which ascend.
    pub(super) fn add(&mut self, changes: &[(Time, Box<[i128]>)]) {
        let Some((first, row)) = changes.first() else { return };
        self.width = row.len();
        let at = self.place(*first);

        let starts = self.starts.split_off(at);
        let sums = self.sums.split_off(at * self.width);
        // The sums up to here as they were, and what changes add to them.
        let (mut before, mut added) = (self.row(at), vec![0_i128; self.width]);
        let (mut old, mut new) =
            (starts.iter().zip(sums.chunks_exact(self.width.max(1))).peekable(), changes.iter().peekable());

        while let Some(slice) =
            [old.peek().map(|(slice, _)| **slice), new.peek().map(|(slice, _)| *slice)].into_iter().flatten().min()
        {
            if let Some((_, row)) = old.next_if(|(start, _)| **start == slice) {
                before.copy_from_slice(row);
            }
            if let Some((_, row)) = new.next_if(|(start, _)| *start == slice) {
                added.iter_mut().zip(row.iter()).for_each(|(sum, change)| *sum += change);
            }
            self.starts.push(slice);
            self.sums.extend(before.iter().zip(&added).map(|(before, added)| before + added));
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

    /// What a row of `[start, end)` reads, of a plain sum.
    pub(super) fn read(&self, reading: &Reading, (start, end): (Time, Time)) -> i128 {
        match reading.read {
            Read::Start => self.before(reading.column, start),
            Read::End => self.before(reading.column, end),
            _ => self.sum(reading.column, start, end),
        }
    }

    /// The first slice in which anything stands.
    pub(super) fn first(&self) -> Option<Time> {
        (0..self.starts.len()).find(|at| self.differs(*at)).map(|at| self.starts[at])
    }

    /// All slices, zero ones included.
    pub(super) fn slices(&self) -> &[Time] {
        &self.starts
    }

    /// Whether nothing stands in any slice.
    pub(super) fn is_zero(&self) -> bool {
        self.sums.iter().all(|sum| *sum == 0)
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
            Some(_) => self.near(at).unwrap_or_else(|| self.starts.partition_point(|start| *start < at)),
            None => 0,
        }
    }

    /// The same where slices follow each other without gaps, as most do: then the place goes by the time, and one look
    /// says whether it is right. A search would look at ten places far from each other.
    fn near(&self, at: Time) -> Option<usize> {
        let (first, last) = (*self.starts.first()?, *self.starts.last()?);
        let seconds = |time: Time| Some(time.checked_sub(first)? / SECOND);
        let (passed, all) = (seconds(at)?, seconds(last)?);
        if passed < 0 || all == 0 {
            return None;
        }
        let steps = i64::try_from(self.starts.len() - 1).ok()?;
        let place = usize::try_from((passed.checked_mul(steps)? + all / 2) / all).ok()?;
        let is_before = place.checked_sub(1).is_none_or(|before| self.starts[before] < at);
        (is_before && *self.starts.get(place)? >= at).then_some(place)
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
    use crate::calendar::HOUR;

    proptest! {
        #[test]
        fn sums_are_those_of_the_slices(instants: Vec<BTreeMap<i8, (i8, i8)>>, from: i8, to: i8) {
            let mut table = Table::default();
            let mut slices: BTreeMap<Time, [i128; 2]> = BTreeMap::new();
            for changes in instants {
                let rows = changes.iter().map(|(slice, (a, b))| (Time::from(*slice) * HOUR, Box::from([(*a).into(), (*b).into()])));
                table.add(&rows.collect::<Vec<_>>());
                for (slice, (a, b)) in changes {
                    let row = slices.entry(Time::from(slice) * HOUR).or_default();
                    row[0] += i128::from(a);
                    row[1] += i128::from(b);
                }
            }
            let (from, to) = (Time::from(from.min(to)) * HOUR, Time::from(from.max(to)) * HOUR);
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
