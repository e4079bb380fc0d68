//! Windows: half-open, calendar kinds in the tenant's time zone, trailing ones of whole local days.

use crate::{Error, Micros, Settings};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const HOUR: Micros = 3_600_000_000;

/// A kind of window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `1h`
    Hour,
    /// `1d`
    Day,
    /// `1w`
    Week,
    /// `1mo`
    Month,
    /// `1q`
    Quarter,
    /// `1y`
    Year,
    /// `trailing 30d`
    Trailing30,
    /// `to-date`
    ToDate,
}

impl Kind {
    /// The kinds with a start and an end that the built-in metrics have.
    pub const BOUNDED: [Self; 6] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Trailing30];

    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Trailing30, Self::ToDate];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
            Self::Quarter => "1q",
            Self::Year => "1y",
            Self::Trailing30 => "trailing 30d",
            Self::ToDate => "to-date",
        }
    }
}

/// `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its kind.
    pub kind: Kind,
    /// First instant; the least for `to-date`.
    pub start: Micros,
    /// First instant after it; the greatest for `to-date`.
    pub end: Micros,
    /// From when on it exists: its start; trailing: the start of its last day.
    pub opens: Micros,
}

impl Window {
    /// Since ever, for ever.
    pub const TO_DATE: Self = Self { kind: Kind::ToDate, start: Micros::MIN, end: Micros::MAX, opens: Micros::MIN };

    /// Whether `instant` lies in it.
    pub fn holds(&self, instant: Micros) -> bool {
        self.start <= instant && instant < self.end
    }
}

/// All windows of `kind` that hold an instant from `from` on and exist at `clock`, ascending. A day that the zone skipped
/// begins where it ends: it is none.
pub fn windows(kind: Kind, settings: &Settings, from: Micros, clock: Micros) -> Result<Vec<Window>, Error> {
    let range = |e: jiff::Error| Error(format!("window out of range: {e}"));
    let zone = &settings.zone;
    let first = Timestamp::from_microsecond(from).map_err(range)?.to_zoned(zone.clone()).date();
    let mut found = Vec::new();
    let mut date = opening(kind, settings, first).map_err(range)?;
    loop {
        let exists_from = midnight(date, zone).map_err(range)?;
        if exists_from > clock {
            return Ok(found);
        }
        let next = following(kind, date).map_err(range)?;
        let start = match kind {
            Kind::Trailing30 => midnight(next.checked_sub(30.days()).map_err(range)?, zone).map_err(range)?,
            _ => exists_from,
        };
        let end = midnight(next, zone).map_err(range)?;
        if kind == Kind::Hour {
            found.extend(hours(start, end).filter(|hour| hour.end > from && hour.opens <= clock));
        } else if exists_from < end && from < end {
            found.push(Window { kind, start, end, opens: exists_from });
        }
        date = next;
    }
}

/// The hours of a day; in zones whose clocks change by whole hours.
fn hours(from: Micros, to: Micros) -> impl Iterator<Item = Window> {
    let starts = std::iter::successors(Some(from), |start| Some(start + HOUR)).take_while(move |start| *start < to);
    starts.map(move |start| Window { kind: Kind::Hour, start, end: to.min(start + HOUR), opens: start })
}

/// The first day of the window that holds `date` (trailing: whose last day it is): back day by day, or month by month,
/// until one is where the settings say that such windows begin.
fn opening(kind: Kind, settings: &Settings, date: Date) -> Result<Date, jiff::Error> {
    let months = match kind {
        Kind::Hour | Kind::Day | Kind::Trailing30 | Kind::ToDate => return Ok(date),
        Kind::Week => {
            let mut day = date;
            while day.weekday() != settings.week_start {
                day = day.yesterday()?;
            }
            return Ok(day);
        }
        Kind::Month => 1,
        Kind::Quarter => 3,
        Kind::Year => 12,
    };
    let mut first = date.first_of_month();
    while (first.month() - settings.fiscal_year_start) % months != 0 {
        first = first.checked_sub(1.month())?;
    }
    Ok(first)
}

fn following(kind: Kind, date: Date) -> Result<Date, jiff::Error> {
    match kind {
        Kind::Hour | Kind::Day | Kind::Trailing30 | Kind::ToDate => date.checked_add(1.day()),
        Kind::Week => date.checked_add(1.week()),
        Kind::Month => date.checked_add(1.month()),
        Kind::Quarter => date.checked_add(3.months()),
        Kind::Year => date.checked_add(1.year()),
    }
}

/// The first instant of a local day, also where the clocks skip midnight.
fn midnight(date: Date, zone: &TimeZone) -> Result<Micros, jiff::Error> {
    Ok(date.to_zoned(zone.clone())?.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{instant, zone};
    use jiff::civil::Weekday;

    fn show(kind: Kind, name: &str, from: &str, clock: &str) -> Vec<String> {
        show_with(kind, &Settings { zone: zone(name).unwrap(), ..Settings::default() }, from, clock)
    }

    fn show_with(kind: Kind, settings: &Settings, from: &str, clock: &str) -> Vec<String> {
        let stamp = |t| Timestamp::from_microsecond(t).unwrap().to_string();
        let found = windows(kind, settings, instant(from).unwrap(), instant(clock).unwrap()).unwrap();
        found.iter().map(|w| format!("{} {}", stamp(w.start), stamp(w.end))).collect()
    }

    #[test]
    fn days_follow_the_clocks() {
        let days = show(Kind::Day, "Europe/Berlin", "2024-03-30T22:59:59Z", "2024-03-31T22:00:00Z");
        assert_eq!(
            days,
            [
                "2024-03-29T23:00:00Z 2024-03-30T23:00:00Z",
                "2024-03-30T23:00:00Z 2024-03-31T22:00:00Z",
                "2024-03-31T22:00:00Z 2024-04-01T22:00:00Z",
            ]
        );
    }

    #[test]
    fn a_day_without_midnight_begins_at_one() {
        let days = show(Kind::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T12:00:00Z");
        assert_eq!(days, ["2018-11-04T03:00:00Z 2018-11-05T02:00:00Z"]);
    }

    #[test]
    fn a_skipped_day_is_no_window() {
        let days = show(Kind::Day, "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T12:00:00Z");
        assert_eq!(days, ["2011-12-29T10:00:00Z 2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z 2011-12-31T10:00:00Z"]);
    }

    #[test]
    fn weeks_and_years_begin_where_the_settings_say() {
        let settings = Settings { week_start: Weekday::Sunday, fiscal_year_start: 4, ..Settings::default() };
        let one = |kind| show_with(kind, &settings, "2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z");
        assert_eq!(one(Kind::Week), ["2026-02-22T00:00:00Z 2026-03-01T00:00:00Z"]);
        assert_eq!(one(Kind::Quarter), ["2026-01-01T00:00:00Z 2026-04-01T00:00:00Z"]);
        assert_eq!(one(Kind::Year), ["2025-04-01T00:00:00Z 2026-04-01T00:00:00Z"]);
    }

    #[test]
    fn hours_follow_the_clocks() {
        let hours = show(Kind::Hour, "Asia/Kolkata", "2024-01-01T10:00:00Z", "2024-01-01T10:30:00Z");
        assert_eq!(hours, ["2024-01-01T09:30:00Z 2024-01-01T10:30:00Z", "2024-01-01T10:30:00Z 2024-01-01T11:30:00Z"]);
        let day = |at: &str| show(Kind::Hour, "Europe/Berlin", at, "2024-12-31T00:00:00Z").len();
        assert_eq!(day("2024-03-30T23:00:00Z") - day("2024-03-31T22:00:00Z"), 23);
        assert_eq!(day("2024-10-26T22:00:00Z") - day("2024-10-27T23:00:00Z"), 25);
    }

    #[test]
    fn coarser_kinds() {
        let one = |kind| show(kind, "UTC", "2024-05-16T10:00:00Z", "2024-05-16T11:00:00Z");
        assert_eq!(one(Kind::Week), ["2024-05-13T00:00:00Z 2024-05-20T00:00:00Z"]);
        assert_eq!(one(Kind::Month), ["2024-05-01T00:00:00Z 2024-06-01T00:00:00Z"]);
        assert_eq!(one(Kind::Quarter), ["2024-04-01T00:00:00Z 2024-07-01T00:00:00Z"]);
        assert_eq!(one(Kind::Year), ["2024-01-01T00:00:00Z 2025-01-01T00:00:00Z"]);
        assert_eq!(one(Kind::Trailing30), ["2024-04-17T00:00:00Z 2024-05-17T00:00:00Z"]);
    }
}
