//! Exchange rates to the reporting currency: which one holds in which slice.
//!
//! A rate holds from the first slice that begins at or after its `valid_from`, until the next one does. Of rates valid from
//! one instant the last in the order of facts holds. A rate serves both ways round; two currencies that meet only through a
//! third have no rate. It does not know amounts.

use std::collections::BTreeMap;

use super::{exact::Rate, windows::Windows};
use crate::{calendar::Time, map::Map, rational::Rational};

/// Rates by the start of the first slice in which they hold, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Course(Vec<(Time, Rate)>);

impl Course {
    /// The rate at an instant.
    pub(super) fn at(&self, time: Time) -> Option<Rate> {
        let held = self.0.partition_point(|(start, _)| *start <= time);
        held.checked_sub(1).map(|last| self.0[last].1)
    }

    /// From when on there is a rate.
    pub(super) fn first(&self) -> Option<Time> {
        self.0.first().map(|(start, _)| *start)
    }

    /// The parts of `[from, to)` that have a rate, each with it.
    pub(super) fn parts(&self, from: Time, to: Time) -> impl Iterator<Item = (Time, Time, Rate)> {
        let held = self.0.partition_point(|(start, _)| *start <= from).saturating_sub(1);
        let own = self.0[held..].iter().take_while(move |(start, _)| *start < to).enumerate();
        own.map(move |(place, (start, rate))| {
            let next = self.0.get(held + place + 1).map_or(Time::MAX, |(next, _)| *next);
            ((*start).max(from), next.min(to), *rate)
        })
    }

    /// Whether another rate begins to hold after `from`, up to `to`.
    fn turns(&self, from: Time, to: Time) -> bool {
        let before = |time| self.0.partition_point(|(start, _)| *start <= time);
        before(from) < before(to)
    }

    /// The span outside of which the rates are those of another course.
    fn differs(&self, other: &Course) -> Option<(Time, Time)> {
        let mut starts: Vec<Time> = self.0.iter().chain(&other.0).map(|(start, _)| *start).collect();
        starts.sort_unstable();
        starts.dedup();
        let differs = |start: &&Time| self.at(**start) != other.at(**start);
        let (first, last) = (starts.iter().find(differs)?, starts.iter().rfind(differs)?);
        Some((*first, starts.iter().find(|start| *start > last).copied().unwrap_or(Time::MAX)))
    }
}

/// Where rates of a currency changed: the lag of the courses (0 for none), and the span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed {
    pub(super) currency: Box<str>,
    pub(super) lag: u16,
    pub(super) from: Time,
    pub(super) to: Time,
}

/// Rates valid from one instant, by their place in the order of facts, and how often each is there.
type OfInstant = BTreeMap<Box<str>, (Rate, i128)>;

/// What is set for a currency.
#[derive(Debug, Default)]
struct Set {
    /// By the slice from which on they hold, and `valid_from`.
    rates: BTreeMap<(Time, Time), OfInstant>,
    /// By lag: which rates hold in which slices.
    courses: BTreeMap<u16, Course>,
}

/// All rates to one currency.
#[derive(Debug)]
pub(super) struct Rates {
    to: Box<str>,
    /// Days by which slices lie after the facts, 0 among them.
    lags: Vec<u16>,
    of: Map<Box<str>, Set>,
    /// Currencies of which something was set or taken back since the courses were made.
    stale: Vec<Box<str>>,
}

impl Rates {
    pub(super) fn new(to: &str, lags: Vec<u16>) -> Rates {
        // An amount in the reporting currency is worth itself, at all times.
        let always = Course(vec![(Time::MIN, Rate::ONE)]);
        let courses = lags.iter().map(|lag| (*lag, always.clone())).collect();
        let own = Set { rates: BTreeMap::new(), courses };
        Rates { to: to.into(), lags, of: [(to.into(), own)].into_iter().collect(), stale: Vec::new() }
    }

    /// Which rates of a currency hold in slices that lie `lag` days after the facts; `None` for a currency without any.
    pub(super) fn course(&self, currency: &str, lag: u16) -> Option<&Course> {
        self.of.get(currency)?.courses.get(&lag)
    }

    /// Adds a rate `times` times: the values are those of [`crate::lifecycle::fx::RATE`]. One between two other currencies,
    /// or which is none, is left out.
    pub(super) fn add(&mut self, values: &[&str], times: i128, windows: &mut Windows) {
        if let Some((currency, rate, from, order)) = self.read(values) {
            let slice = windows.slice_from(from);
            let rates = self.of.entry(currency.into()).or_default().rates.entry((slice, from)).or_default();
            let (_, count) = rates.entry(order.into()).or_insert((rate, 0));
            *count += times;
            rates.retain(|_, (_, count)| *count != 0);
            self.stale.push(currency.into());
        }
    }

    fn read<'v>(&self, values: &[&'v str]) -> Option<(&'v str, Rate, Time, &'v str)> {
        let [base, quote, rate, from, order] = values else { return None };
        let rate = Rational::parse(rate)?;
        let (currency, rate) = match () {
            () if **quote == *self.to => (base, rate),
            () if **base == *self.to => (quote, Rational::integer(1).div(rate)?),
            () => return None,
        };
        Some((currency, Rate::new(rate, currency, &self.to)?, from.parse().ok()?, order))
    }

    /// Makes the courses of what was added; answers where they changed.
    pub(super) fn settle(&mut self, windows: &mut Windows) -> Vec<Changed> {
        let mut stale = std::mem::take(&mut self.stale);
        stale.sort_unstable();
        stale.dedup();
        let mut changed = Vec::new();
        for currency in stale {
            let set = self.of.get_mut(&currency).expect("a currency of which a rate was added is there");
            for lag in &self.lags {
                let course = set.course(*lag, windows);
                let before = set.courses.insert(*lag, course).unwrap_or_default();
                if let Some((from, to)) = set.courses[lag].differs(&before) {
                    changed.push(Changed { currency: currency.clone(), lag: *lag, from, to });
                }
            }
        }
        changed
    }

    /// Whether another rate of any currency begins to hold after `from`, up to `to`.
    pub(super) fn turn(&self, from: Time, to: Time) -> bool {
        self.of.values().any(|set| set.courses.get(&0).is_some_and(|course| course.turns(from, to)))
    }
}

impl Set {
    fn course(&self, lag: u16, windows: &mut Windows) -> Course {
        let mut course: Vec<(Time, Rate)> = Vec::with_capacity(self.rates.len());
        for ((slice, _), rates) in &self.rates {
            let Some((rate, _)) = rates.values().next_back() else { continue };
            let start = if lag == 0 { *slice } else { windows.lagged(*slice, lag) };
            match course.last_mut() {
                // Valid from a later instant before the slice begins.
                Some(last) if last.0 == start => last.1 = *rate,
                _ => course.push((start, *rate)),
            }
        }
        Course(course)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(rates: &[(Time, u128)]) -> Course {
        let rate = |num: u128| Rate::new(Rational::integer(num.cast_signed()), "EUR", "EUR").unwrap();
        Course(rates.iter().map(|(start, num)| (*start, rate(*num))).collect())
    }

    #[test]
    fn a_course_divides_a_window_by_its_rates() {
        let course = course(&[(10, 1), (20, 2), (30, 3)]);
        let parts = |from, to| course.parts(from, to).map(|(from, to, _)| (from, to)).collect::<Vec<_>>();
        assert_eq!(parts(0, 10), []);
        assert_eq!(parts(0, 40), [(10, 20), (20, 30), (30, 40)]);
        assert_eq!(parts(12, 30), [(12, 20), (20, 30)]);
        assert_eq!(parts(35, 40), [(35, 40)]);
        assert_eq!(course.at(9), None);
        assert_eq!(course.at(20), course.at(29));
        assert_eq!((course.turns(10, 19), course.turns(10, 20), course.turns(20, 29)), (false, true, false));
    }

    #[test]
    fn courses_differ_in_a_span() {
        let before = course(&[(10, 1), (20, 2), (30, 3)]);
        assert_eq!(before.differs(&before), None);
        // One corrected, one taken out, one that comes before all.
        assert_eq!(before.differs(&course(&[(10, 1), (20, 5), (30, 3)])), Some((20, 30)));
        assert_eq!(before.differs(&course(&[(10, 1), (20, 2)])), Some((30, Time::MAX)));
        assert_eq!(before.differs(&course(&[(5, 1), (10, 1), (20, 2), (30, 3)])), Some((5, 10)));
    }
}
