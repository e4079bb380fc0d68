//! Slices and windows in the tenant's time zone.
//!
//! Invariants: a slice is a local hour (or the piece of one that a change of offset leaves), so
//! every window boundary is a slice boundary; windows of a kind tile the time line without gaps;
//! `[start, end)`. It does not know what is counted.
//!
//! Times are microseconds since the Unix epoch ([`Time`]); a day is a count of local days since
//! 1970-01-01. A day begins at the first instant that has its date and ends where the next one
//! begins, also where the clocks go back over midnight and show the end of the day before once more. A
//! day that the zone skipped (Samoa, 2011-12-30) holds no instant and is no window; trailing windows
//! count it as a day, since they go by dates.
//!
//! `store::window` cuts the same windows for readers, who have no engine; `tests/it/calendar.rs`
//! holds the two to each other.

use std::{fmt, str::FromStr};

use jiff::{
    civil::{Date, Weekday, date},
    tz::TimeZone,
};

/// Microseconds since the Unix epoch.
pub type Time = i64;

/// Local days since 1970-01-01.
pub type Day = i32;

/// Microseconds in a second.
pub const SECOND: Time = 1_000_000;
/// Microseconds in an hour.
pub const HOUR: Time = 3_600 * SECOND;
/// Microseconds in 24 hours.
pub const DAY: Time = 24 * HOUR;

/// The kinds of window, each one row of results a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `1h`: a local hour.
    Hour,
    /// `1d`: a local day.
    Day,
    /// `1w`: seven days from the setting `week_start` on, Monday by default (an ISO week).
    Week,
    /// `1mo`: a calendar month.
    Month,
    /// `1q`: a quarter of the fiscal year.
    Quarter,
    /// `1y`: a fiscal year, by default a calendar year.
    Year,
    /// `trailing Nd`: N whole local days up to the coming midnight, a row a day.
    Trailing(u16),
    /// `to-date`: everything so far.
    ToDate,
}

impl Kind {
    /// A number for storage; trailing lengths take part in it.
    pub fn code(self) -> u32 {
        match self {
            Kind::Hour => 1,
            Kind::Day => 2,
            Kind::Week => 3,
            Kind::Month => 4,
            Kind::Quarter => 5,
            Kind::Year => 6,
            Kind::ToDate => 7,
            Kind::Trailing(days) => 0x1_0000 | u32::from(days),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Hour => f.write_str("1h"),
            Kind::Day => f.write_str("1d"),
            Kind::Week => f.write_str("1w"),
            Kind::Month => f.write_str("1mo"),
            Kind::Quarter => f.write_str("1q"),
            Kind::Year => f.write_str("1y"),
            Kind::Trailing(days) => write!(f, "trailing {days}d"),
            Kind::ToDate => f.write_str("to-date"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        Ok(match text {
            "1h" => Kind::Hour,
            "1d" => Kind::Day,
            "1w" => Kind::Week,
            "1mo" => Kind::Month,
            "1q" => Kind::Quarter,
            "1y" => Kind::Year,
            "to-date" => Kind::ToDate,
            _ => {
                let days =
                    text.strip_prefix("trailing ").and_then(|rest| rest.strip_suffix('d')).and_then(|n| n.parse().ok());
                match days {
                    Some(days @ 1..=730) => Kind::Trailing(days),
                    _ => {
                        return Err(format!(
                            "unknown window `{text}`; use 1h, 1d, 1w, 1mo, 1q, 1y, `trailing Nd` (N from 1 to 730) or to-date"
                        ));
                    }
                }
            }
        })
    }
}

/// One window: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its kind.
    pub kind: Kind,
    /// First instant; [`Time::MIN`] for `to-date`.
    pub start: Time,
    /// First instant after it; [`Time::MAX`] for `to-date`.
    pub end: Time,
    /// From this clock on the window exists: its start, or for `trailing` that of its last day.
    pub opens: Time,
}

/// The tenant's calendar. Remembers the offset around the last time asked for, as most questions
/// come in order.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    week_start: Weekday,
    /// The month (1..=12) in which years begin.
    year_start: i8,
    /// [from, to) in which `offset` (microseconds east of UTC) holds.
    from: Time,
    to: Time,
    offset: Time,
    /// The last window of each kind asked for.
    recent: Vec<Window>,
}

const EPOCH: Date = date(1970, 1, 1);

impl Calendar {
    /// The calendar of a zone, whose weeks begin on `week_start` and years in the month `year_start`
    /// (1..=12).
    pub fn new(zone: TimeZone, week_start: Weekday, year_start: i8) -> Calendar {
        Calendar { zone, week_start, year_start, from: 0, to: 0, offset: 0, recent: Vec::new() }
    }

    fn seek(&mut self, time: Time) {
        if time >= self.from && time < self.to {
            return;
        }
        let at = timestamp(time);
        self.offset = i64::from(self.zone.to_offset(at).seconds()) * SECOND;
        // `preceding` is strict: ask from the next instant, so that a transition at `time` counts.
        let after = jiff::Timestamp::from_microsecond(at.as_microsecond() + 1).unwrap_or(at);
        self.from = self.zone.preceding(after).next().map_or(Time::MIN, |change| change.timestamp().as_microsecond());
        self.to = self.zone.following(at).next().map_or(Time::MAX, |change| change.timestamp().as_microsecond());
    }

    /// Start of the slice (local hour) that holds `time`.
    pub fn slice(&mut self, time: Time) -> Time {
        self.seek(time);
        let local = time + self.offset;
        (local - local.rem_euclid(HOUR) - self.offset).max(self.from)
    }

    /// The local day that holds `time`.
    pub fn day(&mut self, time: Time) -> Day {
        self.seek(time);
        let day = to_day((time + self.offset).div_euclid(DAY));

        // Clocks that go back over midnight show the day before once more, after the day has begun.
        let goes_back = time.saturating_sub(self.from) < DAY;
        if goes_back && start_of_day(&self.zone, civil(day + 1)) <= time { day + 1 } else { day }
    }

    /// The first instant of a local day.
    pub fn midnight(&mut self, day: Day) -> Time {
        let naive = i64::from(day) * DAY;
        // Right whenever no change of offset lies between the guess and the day's start.
        self.seek(naive - self.offset);
        let guess = naive - self.offset;
        if guess > self.from.saturating_add(DAY) && guess < self.to.saturating_sub(DAY) {
            return guess;
        }
        start_of_day(&self.zone, civil(day))
    }

    /// The instant that a text says: a date is its first instant here, any other in RFC 3339. `None` for no such text.
    pub fn instant(&mut self, text: &str) -> Option<Time> {
        match text.parse::<Date>() {
            Ok(date) if text.len() == 10 => Some(self.midnight(days(date))),
            _ => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond),
        }
    }

    /// The calendar window of this kind that holds `time`; for `trailing` the one whose last day
    /// holds it.
    pub fn window(&mut self, kind: Kind, time: Time) -> Window {
        let known = self.recent.iter().position(|window| window.kind == kind);
        if let Some(window) = known.map(|index| self.recent[index])
            && time >= window.opens
            && time < window.end
        {
            return window;
        }
        let window = self.find(kind, time);
        match known {
            Some(index) => self.recent[index] = window,
            None => self.recent.push(window),
        }
        window
    }

    fn find(&mut self, kind: Kind, time: Time) -> Window {
        match kind {
            Kind::ToDate => Window { kind, start: Time::MIN, end: Time::MAX, opens: Time::MIN },
            Kind::Hour => {
                let start = self.slice(time);
                let mut end = start + 1;
                while self.slice(end) == start {
                    end = (end + HOUR / 2).min(self.to.max(start + 1));
                }
                let end = self.slice(end);
                Window { kind, start, end, opens: start }
            }
            _ => {
                let day = self.day(time);
                let (first, last) = self.span(kind, day);
                self.of_days(kind, first, last)
            }
        }
    }

    /// The window of whole days `[first, last)`.
    fn of_days(&mut self, kind: Kind, first: Day, last: Day) -> Window {
        let (start, end) = (self.midnight(first), self.midnight(last));
        let opens = if matches!(kind, Kind::Trailing(_)) { self.midnight(last - 1) } else { start };
        Window { kind, start, end, opens }
    }

    /// The window of this kind after `window`.
    pub fn next(&mut self, window: &Window) -> Window {
        self.window(window.kind, window.end)
    }

    /// The days `[first, last)` of the window of this kind that holds `day`.
    fn span(&self, kind: Kind, day: Day) -> (Day, Day) {
        let at = civil(day);
        let months = |into: i8, count: i8| {
            let first = months_after(at, -into);
            (days(first), days(months_after(first, count)))
        };
        // Months since the fiscal year began.
        let month = (at.month() - self.year_start).rem_euclid(12);
        match kind {
            Kind::Week => {
                let first = day - i32::from(at.weekday().since(self.week_start));
                (first, first + 7)
            }
            Kind::Month => months(0, 1),
            Kind::Quarter => months(month % 3, 3),
            Kind::Year => months(month, 12),
            Kind::Trailing(n) => (day + 1 - i32::from(n), day + 1),
            Kind::Hour | Kind::Day | Kind::ToDate => (day, day + 1),
        }
    }
}

/// The first of the month that lies this many months after that of `at`.
fn months_after(at: Date, months: i8) -> Date {
    let month = i16::from(at.month()) - 1 + i16::from(months);
    let (years, month) = (month.div_euclid(12), month.rem_euclid(12));
    date(at.year() + years, i8::try_from(month).unwrap_or(0) + 1, 1)
}

fn civil(day: Day) -> Date {
    EPOCH.checked_add(jiff::Span::new().days(day)).unwrap_or(EPOCH)
}

fn days(at: Date) -> Day {
    to_day(EPOCH.duration_until(at).as_hours().div_euclid(24))
}

fn to_day(days: i64) -> Day {
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn start_of_day(zone: &TimeZone, at: Date) -> Time {
    zone.to_zoned(at.at(0, 0, 0, 0))
        .and_then(|zoned| zoned.start_of_day())
        .map_or(0, |zoned| zoned.timestamp().as_microsecond())
}

/// `time` as jiff's, clamped to its range.
pub fn timestamp(time: Time) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(time).unwrap_or(if time < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn calendar(zone: &str) -> Calendar {
        Calendar::new(TimeZone::get(zone).unwrap(), Weekday::Monday, 1)
    }

    fn at(text: &str) -> Time {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn show(window: Window) -> String {
        format!("{} {}..{}", window.kind, timestamp(window.start), timestamp(window.end))
    }

    #[test]
    fn windows_hold_their_instant_and_tile() {
        for (zone, from) in [
            ("UTC", "2018-10-20T11:17:00Z"),
            ("Europe/Berlin", "2018-10-20T11:17:00Z"),
            ("Asia/Kolkata", "2018-10-20T11:17:00Z"),
            ("Australia/Lord_Howe", "2018-10-20T11:17:00Z"),
            ("America/Sao_Paulo", "2018-10-20T11:17:00Z"),
            ("Africa/Monrovia", "2018-10-20T11:17:00Z"),
            ("Pacific/Apia", "2011-12-20T11:17:00Z"),
            ("Pacific/Kwajalein", "1993-08-10T11:17:00Z"),
            ("Pacific/Kwajalein", "1969-09-20T11:17:00Z"),
            ("America/St_Johns", "2010-10-30T11:17:00Z"),
        ] {
            let mut calendar = calendar(zone);
            for kind in [Kind::Hour, Kind::Day, Kind::Week, Kind::Month, Kind::Quarter, Kind::Year, Kind::Trailing(30)]
            {
                let mut window = calendar.window(kind, at(from));
                for _ in 0..400 {
                    assert!(window.opens < window.end, "{zone} {}", show(window));
                    for time in [window.opens, window.end - 1] {
                        assert_eq!(calendar.window(kind, time), window, "{zone} {}", show(window));
                    }
                    assert_eq!(calendar.slice(window.start), window.start, "{zone}");
                    window = calendar.next(&window);
                }
            }
        }
    }

    #[test]
    fn days_of_23_and_25_hours() {
        let mut berlin = calendar("Europe/Berlin");
        let short = berlin.window(Kind::Day, at("2026-03-29T12:00:00Z"));
        assert_eq!(show(short), "1d 2026-03-28T23:00:00Z..2026-03-29T22:00:00Z");
        let long = berlin.window(Kind::Day, at("2026-10-25T12:00:00Z"));
        assert_eq!(show(long), "1d 2026-10-24T22:00:00Z..2026-10-25T23:00:00Z");
    }

    #[test]
    fn a_trailing_window_ends_at_the_coming_midnight() {
        let mut utc = calendar("UTC");
        let window = utc.window(Kind::Trailing(30), at("1997-02-01T00:00:00Z"));
        assert_eq!(show(window), "trailing 30d 1997-01-03T00:00:00Z..1997-02-02T00:00:00Z");
        assert_eq!(window.opens, at("1997-02-01T00:00:00Z"));
        assert_eq!(show(utc.next(&window)), "trailing 30d 1997-01-04T00:00:00Z..1997-02-03T00:00:00Z");
    }

    #[test]
    fn a_day_that_the_zone_skipped_is_no_window() {
        let mut apia = calendar("Pacific/Apia");
        let before = apia.window(Kind::Day, at("2011-12-29T12:00:00Z"));
        assert_eq!(show(before), "1d 2011-12-29T10:00:00Z..2011-12-30T10:00:00Z");
        assert_eq!(show(apia.next(&before)), "1d 2011-12-30T10:00:00Z..2011-12-31T10:00:00Z");
        let week = apia.window(Kind::Week, at("2011-12-29T12:00:00Z"));
        assert_eq!(show(week), "1w 2011-12-26T10:00:00Z..2012-01-01T10:00:00Z", "six days");
        // By date: that of 2012-01-02 begins on the 31st, that of 2012-01-01 on the day that never was.
        let window = apia.window(Kind::Trailing(3), at("2012-01-01T12:00:00Z"));
        assert_eq!(show(window), "trailing 3d 2011-12-30T10:00:00Z..2012-01-02T10:00:00Z");
    }

    #[test]
    fn clocks_that_go_back_over_midnight_leave_a_day_whole() {
        // At 00:01 it is 23:01 of the day before again.
        let mut johns = calendar("America/St_Johns");
        let day = johns.window(Kind::Day, at("2010-11-07T12:00:00Z"));
        assert_eq!(show(day), "1d 2010-11-07T02:30:00Z..2010-11-08T03:30:00Z");
        assert_eq!(johns.window(Kind::Day, at("2010-11-07T02:45:00Z")), day, "23:15 for the second time");
    }

    #[test]
    fn weeks_and_years_begin_where_the_settings_say() {
        let show_all = |week_start, year_start, time: &str| {
            let mut calendar = Calendar::new(TimeZone::UTC, week_start, year_start);
            [Kind::Week, Kind::Quarter, Kind::Year].map(|kind| {
                let window = calendar.window(kind, at(time));
                let date = |at: Time| timestamp(at).to_string()[..10].to_owned();
                format!("{}..{}", date(window.start), date(window.end))
            })
        };
        assert_eq!(
            show_all(Weekday::Sunday, 4, "2026-02-28T10:00:00Z"),
            ["2026-02-22..2026-03-01", "2026-01-01..2026-04-01", "2025-04-01..2026-04-01"]
        );
        assert_eq!(
            show_all(Weekday::Saturday, 2, "2026-01-31T10:00:00Z"),
            ["2026-01-31..2026-02-07", "2025-11-01..2026-02-01", "2025-02-01..2026-02-01"]
        );
        assert_eq!(
            show_all(Weekday::Monday, 12, "2026-12-01T10:00:00Z"),
            ["2026-11-30..2026-12-07", "2026-12-01..2027-03-01", "2026-12-01..2027-12-01"]
        );
    }

    #[test]
    fn half_hour_zones_slice_at_local_hours() {
        let mut kolkata = calendar("Asia/Kolkata");
        assert_eq!(kolkata.slice(at("2026-05-05T10:29:59Z")), at("2026-05-05T09:30:00Z"));
        assert_eq!(kolkata.slice(at("2026-05-05T10:30:00Z")), at("2026-05-05T10:30:00Z"));
    }
}
