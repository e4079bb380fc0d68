//! Window kinds, where their windows begin and end in the tenant's time zone, and what people call them.
//!
//! Windows are half-open, `[start, end)`, in microseconds since the Unix epoch. Calendar windows follow the local
//! calendar: a day may have 23 or 25 hours, and begins at the first instant that has its date; a day that the zone skipped
//! is no window. Weeks begin on the tenant's weekday, quarters and years in the tenant's month. Trailing windows are whole
//! local days by date, one a day.
//!
//! It does not know what is in a window; the engine cuts its own (`processor_core::calendar`) and publishes the bounds.
//! `tests/it/calendar.rs` holds the two to each other: a reader must fill in exactly the windows that the engine has.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp, ToSpan as _, Zoned,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Settings};

const HOUR_US: i64 = 3_600_000_000;

/// A kind of window, written as in the catalog: `1h 1d 1w 1mo 1q 1y`, `trailing Nd`, `to-date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Kind {
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// Seven days from the tenant's `week_start` on; from Monday on it is an ISO week.
    Week,
    /// A calendar month.
    Month,
    /// A quarter of the tenant's fiscal year.
    Quarter,
    /// A fiscal year; by default a calendar year.
    Year,
    /// The last so many whole local days, at least one; a window a day.
    Trailing(u16),
    /// Everything so far: neither start nor end.
    ToDate,
}

/// A window. Both bounds are absent for `to-date` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its kind.
    pub kind: Kind,
    /// First instant in it; microseconds since the Unix epoch.
    pub start_us: Option<i64>,
    /// First instant after it; microseconds since the Unix epoch.
    pub end_us: Option<i64>,
}

impl Window {
    /// A window with bounds.
    pub fn new(kind: Kind, start_us: i64, end_us: i64) -> Self {
        Self { kind, start_us: Some(start_us), end_us: Some(end_us) }
    }

    /// The window without bounds.
    pub fn to_date() -> Self {
        Self { kind: Kind::ToDate, start_us: None, end_us: None }
    }

    /// The bound by which `--from` and `--to` select: the start, of trailing windows the end.
    pub fn selector_us(&self) -> Option<i64> {
        if matches!(self.kind, Kind::Trailing(_)) { self.end_us } else { self.start_us }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
            Self::Quarter => "1q",
            Self::Year => "1y",
            Self::ToDate => "to-date",
            Self::Trailing(days) => return write!(f, "trailing {days}d"),
        })
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.to_string()
    }
}

impl TryFrom<String> for Kind {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "1h" => Self::Hour,
            "1d" => Self::Day,
            "1w" => Self::Week,
            "1mo" => Self::Month,
            "1q" => Self::Quarter,
            "1y" => Self::Year,
            "to-date" => Self::ToDate,
            _ => text
                .strip_prefix("trailing ")
                .and_then(|rest| rest.strip_suffix('d'))
                .and_then(|days| days.parse().ok())
                .filter(|days| *days > 0)
                .map(Self::Trailing)
                .ok_or_else(|| Error::WindowKind { text: text.to_owned() })?,
        })
    }
}

/// What people call a window: the facts, in the tenant's zone. How they are spelt is the reader's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A local hour: its date, and the time at which it begins. Where clocks go back, two hours have one name.
    Hour {
        /// Local date.
        date: Date,
        /// Local time of its first instant.
        time: Time,
    },
    /// A local day.
    Day(Date),
    /// A week from Monday on.
    IsoWeek {
        /// ISO 8601 year: that of the week's Thursday.
        year: i16,
        /// 1 to 53.
        week: i8,
    },
    /// A week that begins on another day: it has no number, and is called by its first day.
    WeekOf(Date),
    /// A calendar month.
    Month {
        /// Calendar year.
        year: i16,
        /// 1 to 12.
        month: i8,
    },
    /// A quarter of a year.
    Quarter {
        /// The year; a fiscal one is called by the calendar year in which it ends.
        year: i16,
        /// 1 to 4, from the beginning of the year on.
        quarter: i8,
        /// Whether the year begins in another month than January (`FY2026 Q1` rather than `Q1 2026`).
        fiscal: bool,
    },
    /// A year.
    Year {
        /// The year; a fiscal one is called by the calendar year in which it ends.
        year: i16,
        /// Whether it begins in another month than January (`FY2026` rather than `2026`).
        fiscal: bool,
    },
    /// Some days up to and including one.
    Trailing {
        /// Number of days, by date.
        days: u16,
        /// The last one.
        last: Date,
    },
    /// Everything so far.
    ToDate,
}

/// The weekday of an English name, in small or capital letters, such as `monday`.
pub fn weekday(name: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, day)| *day)
}

/// The English name of a weekday in small letters, as [`weekday`] reads it.
pub fn weekday_name(day: Weekday) -> &'static str {
    let known = WEEKDAYS.iter().find(|(_, known)| *known == day);
    known.expect("the table has all seven days").0
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The tenant's calendar: its zone, and where its weeks and years begin.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    week_start: Weekday,
    /// The month (1 to 12) in which years begin.
    year_start: i8,
}

impl Calendar {
    /// The calendar of the tenant that a store belongs to.
    ///
    /// # Errors
    /// `Fatal` if the zone is not known.
    pub fn of(settings: &Settings) -> Result<Self> {
        let zone = TimeZone::get(&settings.time_zone).map_err(|_| Error::Zone { zone: settings.time_zone.clone() })?;
        Ok(Self { zone, week_start: settings.week_start, year_start: settings.fiscal_year_start })
    }

    /// What people call a window of this calendar.
    ///
    /// # Errors
    /// `Reject` for an instant outside the years -9999..9999.
    pub fn period(&self, window: &Window) -> Result<Period> {
        let (Some(start_us), Some(end_us)) = (window.start_us, window.end_us) else { return Ok(Period::ToDate) };
        let first = self.local(start_us)?;
        let date = first.date();
        Ok(match window.kind {
            Kind::ToDate => Period::ToDate,
            Kind::Hour => Period::Hour { date, time: first.time() },
            Kind::Day => Period::Day(date),
            Kind::Week if self.week_start == Weekday::Monday => {
                let week = date.iso_week_date();
                Period::IsoWeek { year: week.year(), week: week.week() }
            }
            Kind::Week => Period::WeekOf(date),
            Kind::Month => Period::Month { year: date.year(), month: date.month() },
            Kind::Quarter => {
                let quarter = self.month_of_year(date) / 3 + 1;
                Period::Quarter { year: self.year(date), quarter, fiscal: self.year_start != 1 }
            }
            Kind::Year => Period::Year { year: self.year(date), fiscal: self.year_start != 1 },
            // The day that ends with the window; by its start, a day that the zone skipped would be missing.
            Kind::Trailing(days) => Period::Trailing { days, last: self.local(end_us - 1)?.date() },
        })
    }

    /// Months (0 to 11) since the fiscal year of a date began.
    fn month_of_year(&self, date: Date) -> i8 {
        (date.month() - self.year_start).rem_euclid(12)
    }

    /// The calendar year in which the fiscal year of a date ends.
    fn year(&self, date: Date) -> i16 {
        date.year() + i16::from(self.year_start != 1 && date.month() >= self.year_start)
    }

    /// All windows of the kind that exist at the clock, from the one that holds `first_us` on, in order. A window
    /// exists once clock >= start, a trailing one once the clock reaches the start of its last day. None for
    /// `to-date`, none for a day that the zone skipped.
    ///
    /// # Errors
    /// `Reject` for an instant outside the years -9999..9999.
    pub fn windows(&self, kind: Kind, first_us: i64, clock_us: i64) -> Result<Vec<Window>> {
        match kind {
            Kind::ToDate => Ok(Vec::new()),
            Kind::Hour => self.hours(first_us, clock_us),
            _ => self.days(kind, first_us, clock_us),
        }
    }

    /// Where the window begins (trailing: ends) that is `windows` windows before the one that holds `at_us` (trailing: whose
    /// last day holds it). Of hours it may be an earlier one, where clocks changed.
    ///
    /// # Errors
    /// `Reject` for an instant outside the years that timestamps have.
    pub fn back_us(&self, kind: Kind, at_us: i64, windows: u32) -> Result<i64> {
        let back = i64::from(windows);
        if kind == Kind::Hour {
            return self.hour_floor(at_us.saturating_sub(back.saturating_mul(HOUR_US)));
        }
        let date = self.floor(kind, self.local(at_us)?.date())?;
        let span = match kind {
            Kind::Week => (back * 7).days(),
            Kind::Month => back.months(),
            Kind::Quarter => (back * 3).months(),
            Kind::Year => back.years(),
            Kind::Hour | Kind::Day | Kind::ToDate => back.days(),
            // It ends where the next day begins.
            Kind::Trailing(_) => (back - 1).days(),
        };
        self.midnight_us(date.checked_sub(span).map_err(out_of_range)?)
    }

    /// The first instant of a local date.
    ///
    /// # Errors
    /// `Reject` for a date outside the years that timestamps have.
    pub fn midnight_us(&self, date: Date) -> Result<i64> {
        let start = date.to_zoned(self.zone.clone()).map_err(out_of_range)?;
        Ok(start.timestamp().as_microsecond())
    }

    /// What a person writes for a time: RFC 3339, or a bare date, which is its local midnight.
    ///
    /// # Errors
    /// `Reject` for anything else.
    pub fn parse_us(&self, text: &str) -> Result<i64> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(at.as_microsecond());
        }
        let strict = text.len() == 10;
        let date = text.parse::<Date>().ok().filter(|_| strict);
        let midnight = date.and_then(|date| self.midnight_us(date).ok());
        midnight.ok_or_else(|| Error::Time { text: text.to_owned() })
    }

    /// The local date of an instant.
    ///
    /// # Errors
    /// `Reject` for an instant outside the years that timestamps have.
    pub fn date(&self, at_us: i64) -> Result<Date> {
        Ok(self.local(at_us)?.date())
    }

    fn local(&self, at_us: i64) -> Result<Zoned> {
        Ok(Timestamp::from_microsecond(at_us).map_err(out_of_range)?.to_zoned(self.zone.clone()))
    }

    fn days(&self, kind: Kind, first_us: i64, clock_us: i64) -> Result<Vec<Window>> {
        let mut date = self.floor(kind, self.local(first_us)?.date())?;
        let mut start = self.midnight_us(date)?;
        let mut windows = Vec::new();
        while start <= clock_us {
            let next = following(kind, date)?;
            let end = self.midnight_us(next)?;
            let window = match kind {
                Kind::Trailing(days) => {
                    let from = next.checked_sub(i64::from(days).days()).map_err(out_of_range)?;
                    Window::new(kind, self.midnight_us(from)?, end)
                }
                _ => Window::new(kind, start, end),
            };

            // A skipped day ends where it begins. And where clocks went back over midnight, `first_us` may have the date
            // of a day that was over.
            if start < end && end > first_us {
                windows.push(window);
            }
            (date, start) = (next, end);
        }
        Ok(windows)
    }

    fn hours(&self, first_us: i64, clock_us: i64) -> Result<Vec<Window>> {
        let mut start = self.hour_floor(first_us)?;
        let mut windows = Vec::new();
        while start <= clock_us {
            let end = self.hour_end(start)?;
            windows.push(Window::new(Kind::Hour, start, end));
            start = end;
        }
        Ok(windows)
    }

    /// Where the local hour that holds an instant begins: not before the last change of the clocks, which may cut an hour
    /// short.
    fn hour_floor(&self, at_us: i64) -> Result<i64> {
        let offset_us = i64::from(self.local(at_us)?.offset().seconds()) * 1_000_000;
        let floor = (at_us + offset_us).div_euclid(HOUR_US) * HOUR_US - offset_us;

        // `preceding` is strict: from the next instant on, it finds a change at `at_us`, too.
        let after = Timestamp::from_microsecond(at_us + 1).map_err(out_of_range)?;
        let changed = self.zone.preceding(after).next().map(|change| change.timestamp().as_microsecond());
        Ok(changed.map_or(floor, |changed| floor.max(changed)))
    }

    /// Where the local hour that begins at `start` ends: after an hour, or where the clocks change before.
    fn hour_end(&self, start: i64) -> Result<i64> {
        let offset_us = i64::from(self.local(start)?.offset().seconds()) * 1_000_000;
        let whole = ((start + offset_us).div_euclid(HOUR_US) + 1) * HOUR_US - offset_us;
        let at = Timestamp::from_microsecond(start).map_err(out_of_range)?;
        let changes = self.zone.following(at).next().map(|change| change.timestamp().as_microsecond());
        Ok(changes.map_or(whole, |changes| whole.min(changes)))
    }

    /// The first day of the window that holds `date`; trailing: the day with which it ends.
    fn floor(&self, kind: Kind, date: Date) -> Result<Date> {
        let of_year = self.month_of_year(date);
        let floor = match kind {
            Kind::Week => date.checked_sub(i64::from(date.weekday().since(self.week_start)).days()),
            Kind::Month => Ok(date.first_of_month()),
            Kind::Quarter => date.first_of_month().checked_sub(i64::from(of_year % 3).months()),
            Kind::Year => date.first_of_month().checked_sub(i64::from(of_year).months()),
            Kind::Hour | Kind::Day | Kind::Trailing(_) | Kind::ToDate => Ok(date),
        };
        floor.map_err(out_of_range)
    }
}

fn following(kind: Kind, date: Date) -> Result<Date> {
    let span = match kind {
        Kind::Week => 7.days(),
        Kind::Month => 1.month(),
        Kind::Quarter => 3.months(),
        Kind::Year => 1.year(),
        Kind::Hour | Kind::Day | Kind::Trailing(_) | Kind::ToDate => 1.day(),
    };
    date.checked_add(span).map_err(out_of_range)
}

fn out_of_range(source: jiff::Error) -> Error {
    Error::Time { text: source.to_string() }
}

/// RFC 3339 in UTC with as many decimals as needed, such as `1998-06-30T00:00:00Z`.
pub fn rfc3339(at_us: i64) -> String {
    Timestamp::from_microsecond(at_us).map_or_else(|_| at_us.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str) -> Calendar {
        Calendar::of(&Settings { time_zone: zone.to_owned(), ..Settings::default() }).unwrap()
    }

    fn list(zone: &str, kind: &str, first: &str, clock: &str) -> Vec<String> {
        let calendar = calendar(zone);
        let (first, clock) = (calendar.parse_us(first).unwrap(), calendar.parse_us(clock).unwrap());
        let windows = calendar.windows(kind.parse().unwrap(), first, clock).unwrap();
        windows.iter().map(|w| format!("{} {}", rfc3339(w.start_us.unwrap()), rfc3339(w.end_us.unwrap()))).collect()
    }

    #[test]
    fn kinds_read_back_what_they_write() {
        for text in ["1h", "1d", "1w", "1mo", "1q", "1y", "trailing 30d", "to-date"] {
            assert_eq!(text.parse::<Kind>().unwrap().to_string(), text);
        }
        for text in ["", "2d", "trailing", "trailing 0d", "trailing -1d", "trailing 30", "1MO"] {
            assert!(text.parse::<Kind>().is_err(), "{text:?} is no kind");
        }
    }

    #[test]
    fn months_follow_the_zone() {
        assert_eq!(
            list("Europe/Berlin", "1mo", "1998-03-15", "1998-04-30T22:00:00Z"),
            [
                "1998-02-28T23:00:00Z 1998-03-31T22:00:00Z",
                "1998-03-31T22:00:00Z 1998-04-30T22:00:00Z",
                "1998-04-30T22:00:00Z 1998-05-31T22:00:00Z"
            ]
        );
        assert_eq!(list("Europe/Berlin", "1mo", "1998-03-15", "1998-04-30T21:59:59.999999Z").len(), 2);
    }

    #[test]
    fn weeks_are_iso_and_quarters_begin_in_january() {
        assert_eq!(list("UTC", "1w", "2026-01-01", "2026-01-02"), ["2025-12-29T00:00:00Z 2026-01-05T00:00:00Z"]);
        assert_eq!(list("UTC", "1q", "2026-12-31", "2026-12-31"), ["2026-10-01T00:00:00Z 2027-01-01T00:00:00Z"]);
        assert_eq!(list("UTC", "1y", "2026-12-31", "2026-12-31"), ["2026-01-01T00:00:00Z 2027-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_day_that_the_zone_skipped_is_no_window() {
        assert_eq!(
            list("Pacific/Apia", "1d", "2011-12-29T12:00:00Z", "2011-12-30T12:00:00Z"),
            ["2011-12-29T10:00:00Z 2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z 2011-12-31T10:00:00Z"]
        );
        assert_eq!(list("Pacific/Kwajalein", "trailing 2d", "1993-08-20T12:00:00Z", "1993-08-22T00:00:00Z").len(), 2);
    }

    #[test]
    fn windows_have_the_names_that_people_give_them() {
        let name = |week_start, fiscal_year_start, kind: &str, at: &str| {
            let settings = Settings {
                time_zone: "America/New_York".to_owned(),
                week_start,
                fiscal_year_start,
                ..Settings::default()
            };
            let calendar = Calendar::of(&settings).unwrap();
            let at = calendar.parse_us(at).unwrap();
            calendar.period(&calendar.windows(kind.parse().unwrap(), at, at).unwrap()[0]).unwrap()
        };
        let (monday, sunday) = (Weekday::Monday, Weekday::Sunday);
        let date = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(name(monday, 1, "1d", "2026-11-12"), Period::Day(date("2026-11-12")));
        assert_eq!(name(monday, 1, "1w", "2021-01-03"), Period::IsoWeek { year: 2020, week: 53 });
        assert_eq!(name(sunday, 1, "1w", "2021-01-03"), Period::WeekOf(date("2021-01-03")));
        assert_eq!(name(monday, 1, "1mo", "2026-11-30"), Period::Month { year: 2026, month: 11 });
        assert_eq!(name(monday, 1, "1q", "2026-09-30"), Period::Quarter { year: 2026, quarter: 3, fiscal: false });
        assert_eq!(name(monday, 1, "1y", "2026-09-30"), Period::Year { year: 2026, fiscal: false });
        assert_eq!(name(monday, 4, "1y", "2026-02-01"), Period::Year { year: 2026, fiscal: true });
        assert_eq!(name(monday, 4, "1y", "2026-04-01"), Period::Year { year: 2027, fiscal: true });
        assert_eq!(name(monday, 4, "1q", "2025-06-30"), Period::Quarter { year: 2026, quarter: 1, fiscal: true });
        assert_eq!(name(monday, 4, "1q", "2026-03-31"), Period::Quarter { year: 2026, quarter: 4, fiscal: true });
        let last = date("2026-11-12");
        assert_eq!(name(monday, 1, "trailing 30d", "2026-11-12"), Period::Trailing { days: 30, last });
        let time = "13:00:00".parse().unwrap();
        assert_eq!(name(monday, 1, "1h", "2026-11-12T18:30:00Z"), Period::Hour { date: last, time });
    }

    #[test]
    fn weekdays_read_back_what_they_write() {
        for (name, day) in WEEKDAYS {
            assert_eq!((weekday(name), weekday_name(day)), (Some(day), name));
        }
        assert_eq!(weekday("Sunday"), Some(Weekday::Sunday));
        assert_eq!(weekday("sun"), None);
    }

    #[test]
    fn a_trailing_window_exists_from_the_start_of_its_last_day() {
        assert_eq!(
            list("UTC", "trailing 30d", "1997-01-01T05:00:00Z", "1997-01-02T00:00:00Z"),
            ["1996-12-03T00:00:00Z 1997-01-02T00:00:00Z", "1996-12-04T00:00:00Z 1997-01-03T00:00:00Z"]
        );
    }

    #[test]
    fn days_have_23_to_25_hours_and_hours_half_hour_offsets() {
        assert_eq!(list("Europe/Berlin", "1h", "2026-03-29", "2026-03-29T21:59:59Z").len(), 23);
        assert_eq!(list("Europe/Berlin", "1h", "2026-10-25", "2026-10-25T22:59:59Z").len(), 25);
        assert_eq!(
            list("Asia/Kolkata", "1h", "2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"),
            ["2025-12-31T23:30:00Z 2026-01-01T00:30:00Z"]
        );
        let whole = list("Australia/Lord_Howe", "1h", "2026-04-05", "2026-04-05T13:29:59Z");
        assert!(whole.windows(2).all(|pair| pair[0].split(' ').nth(1) == pair[1].split(' ').next()), "no gaps");
    }

    #[test]
    fn times_are_rfc3339_or_bare_dates() {
        let calendar = calendar("Europe/Berlin");
        assert_eq!(rfc3339(calendar.parse_us("2026-07-01").unwrap()), "2026-06-30T22:00:00Z");
        assert_eq!(rfc3339(calendar.parse_us("2026-07-01T00:00:00.000001Z").unwrap()), "2026-07-01T00:00:00.000001Z");
        for text in ["yesterday", "2026-13-01", "2026-07-01T00:00:00", "20260701"] {
            assert!(calendar.parse_us(text).is_err(), "{text:?} is no time");
        }
    }
}
