//! An account's own sums by local day, that are not published: a score reads on which days something was.
//!
//! Invariant: days follow each other, as facts do, and only the latest is added to.

use super::{Decoder, Writer};
use crate::{calendar::Day, codec::Reader};

/// Sums by local day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Daily {
    /// Ascending.
    days: Vec<Day>,
    /// For each day one a column of the plan.
    sums: Vec<i128>,
}

impl Daily {
    /// Whether there is no day.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    fn width(&self) -> usize {
        self.sums.len() / self.days.len().max(1)
    }

    fn row(&self, place: usize) -> &[i128] {
        let width = self.width();
        &self.sums[place * width..(place + 1) * width]
    }

    /// The sums of a day, not before the latest.
    pub fn of(&mut self, day: Day, width: usize) -> &mut [i128] {
        if self.days.last() != Some(&day) {
            self.days.push(day);
            self.sums.resize(self.days.len() * width, 0);
        }
        let from = self.sums.len() - width;
        &mut self.sums[from..]
    }

    /// The days after `since` on which a sum is above 0, ascending; `None` if it never was.
    pub fn days(&self, column: usize, since: Day) -> Option<impl Iterator<Item = Day> + Clone> {
        let width = self.width();
        let above = move |place: &usize| self.sums.get(place * width + column).is_some_and(|sum| *sum > 0);
        let first = self.days.partition_point(|day| *day <= since);
        let within = (first..self.days.len()).filter(above);
        let ever = within.clone().next().is_some() || (0..first).any(|place| above(&place));
        ever.then(|| within.map(|place| self.days[place]))
    }

    /// Forgets the days up to `since`, but for the last one on which a sum is above 0 that no later day has.
    pub fn prune(&mut self, since: Day) {
        if self.days.first().is_none_or(|first| *first > since) {
            return;
        }
        let mut seen = vec![false; self.width()];
        let mut kept = Daily::default();
        for place in (0..self.days.len()).rev() {
            let (day, row) = (self.days[place], self.row(place));
            let fresh = row.iter().zip(&seen).any(|(sum, seen)| *sum > 0 && !seen);
            seen.iter_mut().zip(row).for_each(|(seen, sum)| *seen |= *sum > 0);
            if day > since || fresh || kept.is_empty() {
                kept.days.push(day);
                kept.sums.extend(row.iter().rev());
            }
        }
        kept.days.reverse();
        kept.sums.reverse();
        *self = kept;
    }

    /// The latest day, if there is one.
    pub fn latest(&self) -> Option<Day> {
        self.days.last().copied()
    }

    /// All days with their sums.
    pub fn rows(&self) -> impl Iterator<Item = (Day, &[i128])> {
        self.days.iter().enumerate().map(|(place, day)| (*day, self.row(place)))
    }

    /// Forgets all days.
    pub(super) fn clear(&mut self) {
        self.days.clear();
        self.sums.clear();
    }

    /// Appends of each day how long after the one before it is, and its sums.
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let mut before = 0;
        out.list(self.rows().collect::<Vec<_>>().into_iter(), |out, (day, row)| {
            out.integer(i64::from(day) - before);
            before = day.into();
            out.row(row);
        });
    }

    pub(super) fn decode(&mut self, from: &mut Decoder<'_, '_>) -> Option<()> {
        if from.is_old() {
            return self.decode_old(from);
        }
        let mut day = 0_i64;
        for _ in 0..from.count()? {
            day = day.checked_add(from.integer()?)?;
            self.days.push(Day::try_from(day).ok()?);
            from.row(&mut self.sums)?;
        }
        self.is_whole().then_some(())
    }

    /// As it was: the days before the latest, after their length in bytes, then the latest; each a day, the number of its
    /// sums, and these.
    fn decode_old(&mut self, from: &mut Decoder<'_, '_>) -> Option<()> {
        let mut past = Reader(from.bytes()?);
        while !past.0.is_empty() {
            self.days.push(Day::try_from(past.get_signed()?).ok()?);
            for _ in 0..past.get_count()? {
                self.sums.push(past.get_signed()?);
            }
        }
        self.days.push(Day::try_from(from.integer()?).ok()?);
        for _ in 0..from.count()? {
            self.sums.push(from.amount()?);
        }
        self.is_whole().then_some(())
    }

    /// Whether bytes said days in order, of as many sums.
    fn is_whole(&self) -> bool {
        self.days.is_sorted() && !self.days.is_empty() && self.sums.len().is_multiple_of(self.days.len())
    }
}
