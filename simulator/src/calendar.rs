//! Days and hours: a day has a number, each region its own zone, and most things happen in its working hours.
//!
//! Invariant: a day of a region is what its clocks show, so working hours move in UTC where clocks change. No local day
//! begins more than [`EARLIEST_US`] before the day of the same number in UTC.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use crate::{Error, dice::Dice};

pub(crate) const SECOND_US: i64 = 1_000_000;
pub(crate) const MINUTE_US: i64 = 60 * SECOND_US;
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;
pub(crate) const DAY_US: i64 = 24 * HOUR_US;
/// Sydney is eleven hours before UTC in its summer.
pub(crate) const EARLIEST_US: i64 = 12 * HOUR_US;

/// Regions, and the zones in which people there work.
pub(crate) const REGIONS: [(&str, &str); 3] =
    [("EMEA", "Europe/Berlin"), ("Americas", "America/New_York"), ("APAC", "Australia/Sydney")];

/// The days of a simulation.
#[derive(Debug)]
pub(crate) struct Calendar {
    from: Date,
    start_us: i64,
    zones: [TimeZone; 3],
}

/// One day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Today {
    /// Its number; the first one is 0.
    pub(crate) day: i64,
    /// When it begins in UTC; microseconds.
    pub(crate) start_us: i64,
    /// When it begins in each region.
    local_us: [i64; 3],
    /// Saturday or Sunday.
    pub(crate) weekend: bool,
    /// 1 to 31.
    pub(crate) of_month: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// The calendar year.
    pub(crate) year: i64,
    /// The region in which the product failed on this day.
    pub(crate) incident: Option<usize>,
}

impl Calendar {
    pub(crate) fn new(from: Date) -> Result<Self, Error> {
        let start_us = from.to_zoned(TimeZone::UTC)?.timestamp().as_microsecond();
        let [a, b, c] = REGIONS.map(|(_, zone)| TimeZone::get(zone));
        Ok(Self { from, start_us, zones: [a?, b?, c?] })
    }

    /// When a day begins in UTC.
    pub(crate) fn start_us(&self, day: i64) -> i64 {
        self.start_us + day * DAY_US
    }

    pub(crate) fn today(&self, seed: u64, day: i64) -> Result<Today, Error> {
        let date = self.from.checked_add(day.days())?;
        let mut local_us = [0; 3];
        for (at, zone) in local_us.iter_mut().zip(&self.zones) {
            *at = date.to_zoned(zone.clone())?.timestamp().as_microsecond();
        }
        let mut dice = Dice::of(seed, [-1, day]);
        let incident = dice.chance(20_000).then(|| dice.any(&[0, 1, 2]));
        Ok(Today {
            day,
            start_us: self.start_us(day),
            local_us,
            weekend: date.weekday().to_monday_zero_offset() >= 5,
            of_month: date.day().into(),
            month: date.month().into(),
            year: date.year().into(),
            incident,
        })
    }
}

impl Today {
    /// A moment between 8 and 18 o'clock, most likely about 13, in whole milliseconds.
    pub(crate) fn working(&self, region: usize, dice: &mut Dice) -> i64 {
        let hours = dice.below(5 * HOUR_US / 1_000) + dice.below(5 * HOUR_US / 1_000);
        self.local_us[region] + 8 * HOUR_US + hours * 1_000
    }

    /// Any moment before 23 o'clock, so that what follows within the hour is of the same day.
    pub(crate) fn any_time(&self, region: usize, dice: &mut Dice) -> i64 {
        self.local_us[region] + dice.below(22 * HOUR_US / 1_000) * 1_000
    }

    /// A moment between midnight and 4 o'clock in UTC, when accounts are billed; in whole milliseconds.
    pub(crate) fn night(&self, dice: &mut Dice) -> i64 {
        self.start_us + dice.below(4 * HOUR_US / 1_000) * 1_000
    }
}

/// RFC 3339 in UTC.
pub(crate) fn stamp(at_us: i64) -> String {
    Timestamp::from_microsecond(at_us).unwrap_or_default().to_string()
}

/// The date in UTC, `2025-03-31`.
pub(crate) fn date(at_us: i64) -> String {
    day(at_us).to_string()
}

/// The last day of the quarter that begins with this day.
pub(crate) fn last_of_quarter(first_us: i64) -> String {
    let next = day(first_us).saturating_add(3.months());
    next.saturating_sub(1.day()).to_string()
}

fn day(at_us: i64) -> Date {
    Timestamp::from_microsecond(at_us).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_end_with_their_last_day() {
        let last =
            |first: &str| last_of_quarter(format!("{first}T00:00:00Z").parse::<Timestamp>().unwrap().as_microsecond());
        let firsts = ["2024-01-01", "2026-04-01", "2026-07-01", "2026-10-01"];
        assert_eq!(firsts.map(last), ["2024-03-31", "2026-06-30", "2026-09-30", "2026-12-31"]);
    }

    #[test]
    fn working_hours_follow_the_clocks_of_a_region() {
        let calendar = Calendar::new(jiff::civil::date(2024, 3, 1)).unwrap();
        let first = |day: i64, region: usize| {
            let today = calendar.today(7, day).unwrap();
            let mut dice = Dice::of(7, [0, 0]);
            let times = (0..1_000).map(|_| today.working(region, &mut dice) - today.start_us);
            times.min().unwrap().div_euclid(HOUR_US)
        };
        // New York changed on 10 March, Berlin on 31 March, Sydney back on 7 April.
        let days = [8, 10, 31, 38];
        assert_eq!(days.map(|day| first(day, 0)), [7, 7, 6, 6]);
        assert_eq!(days.map(|day| first(day, 1)), [13, 12, 12, 12]);
        assert_eq!(days.map(|day| first(day, 2)), [-3, -3, -3, -2]);
    }

    #[test]
    fn no_local_day_begins_before_the_earliest_hour() {
        let calendar = Calendar::new(jiff::civil::date(2024, 1, 1)).unwrap();
        for day in 0..800 {
            let today = calendar.today(7, day).unwrap();
            assert!(today.local_us.iter().all(|at_us| *at_us >= today.start_us - EARLIEST_US));
        }
    }
}
