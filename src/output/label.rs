//! Windows and times as people say them, in the tenant's zone: `2026-11`, `2026-W48`, `Q3 2026`, `FY2026 Q1`, `12 Nov`,
//! `30 days to 12 Nov`.
//!
//! What a window is, the store's calendar knows ([`Period`]); this is how it is spelt.
//! Pure: a label follows from the window and the settings of the store, never from the clock of this machine. Days and
//! hours leave the year out where the caller names it once for all rows ([`Labels::year_of_all`]).
//! JSON and CSV have no labels: their times are exact, in UTC.

use anyhow::{Context as _, Result};
use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};
use store::{
    Window,
    window::{Calendar, Kind, Period, rfc3339},
};

use super::number::count_of;

/// How one tenant names windows and times.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    zone: TimeZone,
    calendar: Calendar,
}

impl Labels {
    /// The labels of a store.
    ///
    /// # Errors
    /// When its time zone is not known here.
    pub(crate) fn of(settings: &store::Settings) -> Result<Self> {
        let name = &settings.time_zone;
        let zone = TimeZone::get(name).with_context(|| format!("time zone {name:?} of the store is not known here"))?;
        Ok(Self { zone, calendar: Calendar::of(settings)? })
    }

    /// Name of the zone, as shown beside a table.
    pub(crate) fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The zone.
    pub(crate) fn time_zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// A window; days and hours with their year if `year` says so. Empty for `to-date`.
    pub(crate) fn window(&self, window: &Window, year: bool) -> String {
        let start_us = window.start_us.unwrap_or_default();
        match self.calendar.period(window) {
            Ok(Period::Hour { .. }) => self.moment(start_us, year),
            Ok(Period::Day(date)) => day(date, year),
            Ok(Period::IsoWeek { year, week }) => format!("{year}-W{week:02}"),
            Ok(Period::WeekOf(date)) => format!("week of {date}"),
            Ok(Period::Month { year, month }) => format!("{year}-{month:02}"),
            Ok(Period::Quarter { year, quarter, fiscal: false }) => format!("Q{quarter} {year}"),
            Ok(Period::Quarter { year, quarter, fiscal: true }) => format!("FY{year} Q{quarter}"),
            Ok(Period::Year { year, fiscal: false }) => year.to_string(),
            Ok(Period::Year { year, fiscal: true }) => format!("FY{year}"),
            Ok(Period::Trailing { days, last }) => format!("{} to {}", count_of(days, "day"), day(last, year)),
            Ok(Period::ToDate) => String::new(),
            Err(_) => rfc3339(start_us),
        }
    }

    /// A point in time, to the minute.
    pub(crate) fn moment(&self, at_us: i64, year: bool) -> String {
        let Some(at) = self.local(at_us) else { return rfc3339(at_us) };
        format!("{} {}", day(at.date(), year), self.clock(&at))
    }

    /// The day of a point in time, with its year.
    pub(crate) fn day(&self, at_us: i64) -> String {
        self.local(at_us).map_or_else(|| rfc3339(at_us), |at| day(at.date(), true))
    }

    /// The one year that all these instants lie in, if there is one.
    pub(crate) fn year_of_all(&self, instants_us: impl IntoIterator<Item = i64>) -> Option<i16> {
        let mut years = instants_us.into_iter().map(|at_us| self.local(at_us).map(|at| at.year()));
        let first = years.next()??;
        years.all(|year| year == Some(first)).then_some(first)
    }

    fn local(&self, at_us: i64) -> Option<Zoned> {
        Some(Timestamp::from_microsecond(at_us).ok()?.to_zoned(self.zone.clone()))
    }

    /// Hour and minute; with the offset's name where the clocks show the same time twice.
    fn clock(&self, at: &Zoned) -> String {
        let twice = self.zone.to_ambiguous_zoned(at.datetime()).is_ambiguous();
        at.strftime(if twice { "%H:%M %Z" } else { "%H:%M" }).to_string()
    }
}

fn day(date: Date, year: bool) -> String {
    date.strftime(if year { "%-d %b %Y" } else { "%-d %b" }).to_string()
}

/// Windows of a kind as a word: `month`.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Hour => "hour",
        Kind::Day => "day",
        Kind::Week => "week",
        Kind::Month => "month",
        Kind::Quarter => "quarter",
        Kind::Year => "year",
        Kind::Trailing(_) => "window",
        Kind::ToDate => "so far",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;
    use store::Settings;

    use super::*;

    fn labels(zone: &str, week_start: Weekday, fiscal_year_start: i8) -> Labels {
        let time_zone = zone.to_owned();
        Labels::of(&Settings { time_zone, week_start, fiscal_year_start, ..Settings::default() }).unwrap()
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn window(kind: &str, start: &str, end: &str) -> Window {
        Window::new(kind.parse().unwrap(), us(start), us(end))
    }

    #[test]
    fn windows_are_named_in_the_zone_of_the_tenant() {
        let berlin = labels("Europe/Berlin", Weekday::Monday, 1);
        for (kind, start, end, expected) in [
            ("1mo", "2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z", "2024-02"),
            ("1w", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z", "2026-W48"),
            ("1w", "2018-12-30T23:00:00Z", "2019-01-06T23:00:00Z", "2019-W01"),
            ("1w", "2020-12-27T23:00:00Z", "2021-01-03T23:00:00Z", "2020-W53"),
            ("1q", "2026-06-30T22:00:00Z", "2026-09-30T22:00:00Z", "Q3 2026"),
            ("1y", "2025-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2026"),
            ("1d", "2026-11-11T23:00:00Z", "2026-11-12T23:00:00Z", "12 Nov 2026"),
            ("1h", "2026-11-12T13:00:00Z", "2026-11-12T14:00:00Z", "12 Nov 2026 14:00"),
            ("1h", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "25 Oct 2026 02:00 CEST"),
            ("1h", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z", "25 Oct 2026 02:00 CET"),
            ("trailing 30d", "2026-10-13T22:00:00Z", "2026-11-12T23:00:00Z", "30 days to 12 Nov 2026"),
            ("trailing 1d", "2026-11-11T23:00:00Z", "2026-11-12T23:00:00Z", "1 day to 12 Nov 2026"),
        ] {
            assert_eq!(berlin.window(&window(kind, start, end), true), expected, "{kind} {start}");
        }
        assert_eq!(berlin.window(&Window::to_date(), true), "");
    }

    #[test]
    fn days_leave_out_a_year_that_is_named_once() {
        let utc = labels("UTC", Weekday::Monday, 1);
        let day = window("1d", "2026-11-05T00:00:00Z", "2026-11-06T00:00:00Z");
        assert_eq!(utc.window(&day, false), "5 Nov");
        assert_eq!(utc.year_of_all([us("2026-01-01T00:00:00Z"), us("2026-12-31T23:59:59Z")]), Some(2026));
        assert_eq!(utc.year_of_all([us("2026-01-01T00:00:00Z"), us("2027-01-01T00:00:00Z")]), None);
        assert_eq!(utc.year_of_all([]), None);
        assert_eq!(utc.moment(us("2026-11-05T07:08:59Z"), false), "5 Nov 07:08");
        let apia = labels("Pacific/Apia", Weekday::Monday, 1);
        assert_eq!(apia.year_of_all([us("2026-12-31T12:00:00Z")]), Some(2027), "the year is the local one");
    }

    #[test]
    fn weeks_of_other_days_are_named_by_their_first() {
        let sunday = labels("America/New_York", Weekday::Sunday, 1);
        let week = window("1w", "2026-11-22T05:00:00Z", "2026-11-29T05:00:00Z");
        assert_eq!(sunday.window(&week, true), "week of 2026-11-22");
    }

    #[test]
    fn fiscal_years_are_named_by_the_year_in_which_they_end() {
        let april = labels("UTC", Weekday::Monday, 4);
        for (kind, start, end, expected) in [
            ("1q", "2025-04-01T00:00:00Z", "2025-07-01T00:00:00Z", "FY2026 Q1"),
            ("1q", "2025-10-01T00:00:00Z", "2026-01-01T00:00:00Z", "FY2026 Q3"),
            ("1q", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "FY2026 Q4"),
            ("1y", "2025-04-01T00:00:00Z", "2026-04-01T00:00:00Z", "FY2026"),
            ("1mo", "2025-04-01T00:00:00Z", "2025-05-01T00:00:00Z", "2025-04"),
        ] {
            assert_eq!(april.window(&window(kind, start, end), true), expected, "{kind} {start}");
        }
        let october = labels("UTC", Weekday::Monday, 10);
        let first = window("1q", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(october.window(&first, true), "FY2027 Q1");
    }
}
