//! Window kinds, and where their windows begin and end in the tenant's time zone.
//!
//! Windows are half-open, `[start, end)`, in microseconds since the Unix epoch. Calendar windows follow the local
//! calendar: a day may have 23 or 25 hours, weeks are ISO weeks, a midnight that does not exist is the first instant
//! of that day. Trailing windows are whole local days, one a day.
//!
//! It does not know what is in a window; the engine cuts its own and publishes the bounds.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan as _, Zoned, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const HOUR_US: i64 = 3_600_000_000;

/// A kind of window, written as in the catalog: `1h 1d 1w 1mo 1q 1y`, `trailing Nd`, `to-date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Kind {
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
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

/// The windows of one kind in one zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// The calendar of an IANA time zone, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// `Fatal` if the zone is not known.
    pub fn new(zone: &str) -> Result<Self> {
        let zone = TimeZone::get(zone).map_err(|_| Error::Zone { zone: zone.to_owned() })?;
        Ok(Self { zone })
    }

    /// All windows of the kind that exist at the clock, from the one that holds `first_us` on, in order. A window
    /// exists once clock >= start, a trailing one once the clock reaches the start of its last day. None for
    /// `to-date`.
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

    fn local(&self, at_us: i64) -> Result<Zoned> {
        Ok(Timestamp::from_microsecond(at_us).map_err(out_of_range)?.to_zoned(self.zone.clone()))
    }

    fn days(&self, kind: Kind, first_us: i64, clock_us: i64) -> Result<Vec<Window>> {
        let mut date = floor(kind, self.local(first_us)?.date())?;
        let mut start = self.midnight_us(date)?;
        let mut windows = Vec::new();
        while start <= clock_us {
            let next = following(kind, date)?;
            let end = self.midnight_us(next)?;
            windows.push(match kind {
                Kind::Trailing(days) => {
                    let from = next.checked_sub(i64::from(days).days()).map_err(out_of_range)?;
                    Window::new(kind, self.midnight_us(from)?, end)
                }
                _ => Window::new(kind, start, end),
            });
            (date, start) = (next, end);
        }
        Ok(windows)
    }

    fn hours(&self, first_us: i64, clock_us: i64) -> Result<Vec<Window>> {
        let mut start = self.hour_floor(first_us)?;
        let mut windows = Vec::new();
        while start <= clock_us {
            // A shift of the clocks by half an hour cuts an hour short: the next one begins where the local hour does.
            let floor = self.hour_floor(start + HOUR_US)?;
            let end = if floor > start { floor } else { start + HOUR_US };
            windows.push(Window::new(Kind::Hour, start, end));
            start = end;
        }
        Ok(windows)
    }

    fn hour_floor(&self, at_us: i64) -> Result<i64> {
        let offset_us = i64::from(self.local(at_us)?.offset().seconds()) * 1_000_000;
        Ok((at_us + offset_us).div_euclid(HOUR_US) * HOUR_US - offset_us)
    }
}

fn floor(kind: Kind, date: Date) -> Result<Date> {
    let floor = match kind {
        Kind::Week => date.checked_sub(i64::from(date.weekday().to_monday_zero_offset()).days()),
        Kind::Month => Ok(date.first_of_month()),
        Kind::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1),
        Kind::Year => Ok(date.first_of_year()),
        Kind::Hour | Kind::Day | Kind::Trailing(_) | Kind::ToDate => Ok(date),
    };
    floor.map_err(out_of_range)
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

    fn list(zone: &str, kind: &str, first: &str, clock: &str) -> Vec<String> {
        let calendar = Calendar::new(zone).unwrap();
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
        let calendar = Calendar::new("Europe/Berlin").unwrap();
        assert_eq!(rfc3339(calendar.parse_us("2026-07-01").unwrap()), "2026-06-30T22:00:00Z");
        assert_eq!(rfc3339(calendar.parse_us("2026-07-01T00:00:00.000001Z").unwrap()), "2026-07-01T00:00:00.000001Z");
        for text in ["yesterday", "2026-13-01", "2026-07-01T00:00:00", "20260701"] {
            assert!(calendar.parse_us(text).is_err(), "{text:?} is no time");
        }
    }
}
