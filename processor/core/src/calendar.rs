//! Slices and windows in the tenant's time zone.
//!
//! Invariants: a slice is a local hour (or the piece of one that a change of offset leaves), so
//! every window boundary is a slice boundary; windows of a kind tile the time line without gaps;
//! `[start, end)`. It does not know what is counted.
//!
//! Times are microseconds since the Unix epoch ([`Time`]); a day is a count of local days since
//! 1970-01-01.

use std::{fmt, str::FromStr};

use jiff::{
    civil::{Date, date},
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
    /// `1w`: an ISO week, from Monday.
    Week,
    /// `1mo`: a calendar month.
    Month,
    /// `1q`: a calendar quarter.
    Quarter,
    /// `1y`: a calendar year.
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

    /// The kind with this [`Kind::code`].
    pub fn from_code(code: u32) -> Option<Kind> {
        Some(match code {
            1 => Kind::Hour,
            2 => Kind::Day,
            3 => Kind::Week,
            4 => Kind::Month,
            5 => Kind::Quarter,
            6 => Kind::Year,
            7 => Kind::ToDate,
            code if code >> 16 == 1 => Kind::Trailing(u16::try_from(code & 0xffff).ok()?),
            _ => return None,
        })
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
    /// [from, to) in which `offset` (microseconds east of UTC) holds.
    from: Time,
    to: Time,
    offset: Time,
    /// The last window of each kind asked for.
    recent: Vec<Window>,
}

const EPOCH: Date = date(1970, 1, 1);

impl Calendar {
    /// The calendar of a zone.
    pub fn new(zone: TimeZone) -> Calendar {
        Calendar { zone, from: 0, to: 0, offset: 0, recent: Vec::new() }
    }

    /// The zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
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
        to_day((time + self.offset).div_euclid(DAY))
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
                let (first, last) = span(kind, day);
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
        match window.kind {
            Kind::Trailing(_) => self.window(window.kind, window.end),
            kind => self.window(kind, window.end),
        }
    }
}

/// The days `[first, last)` of the window of this kind that holds `day`.
fn span(kind: Kind, day: Day) -> (Day, Day) {
    let at = civil(day);
    match kind {
        Kind::Week => {
            let monday = day - i32::from(at.weekday().to_monday_zero_offset());
            (monday, monday + 7)
        }
        Kind::Month => (days(first_of_month(at.year(), at.month(), 0)), days(first_of_month(at.year(), at.month(), 1))),
        Kind::Quarter => {
            let month = (at.month() - 1) / 3 * 3 + 1;
            (days(first_of_month(at.year(), month, 0)), days(first_of_month(at.year(), month, 3)))
        }
        Kind::Year => (days(date(at.year(), 1, 1)), days(date(at.year() + 1, 1, 1))),
        Kind::Trailing(n) => (day + 1 - i32::from(n), day + 1),
        Kind::Hour | Kind::Day | Kind::ToDate => (day, day + 1),
    }
}

fn first_of_month(year: i16, month: i8, later: i8) -> Date {
    let months = month - 1 + later;
    date(year + i16::from(months / 12), months % 12 + 1, 1)
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
        Calendar::new(TimeZone::get(zone).unwrap())
    }

    fn at(text: &str) -> Time {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn show(window: Window) -> String {
        format!("{} {}..{}", window.kind, timestamp(window.start), timestamp(window.end))
    }

    #[test]
    fn windows_hold_their_instant_and_tile() {
        for zone in
            ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Monrovia"]
        {
            let mut calendar = calendar(zone);
            for kind in [Kind::Hour, Kind::Day, Kind::Week, Kind::Month, Kind::Quarter, Kind::Year] {
                let mut window = calendar.window(kind, at("2018-10-20T11:17:00Z"));
                for _ in 0..400 {
                    for time in [window.start, window.end - 1] {
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
    fn half_hour_zones_slice_at_local_hours() {
        let mut kolkata = calendar("Asia/Kolkata");
        assert_eq!(kolkata.slice(at("2026-05-05T10:29:59Z")), at("2026-05-05T09:30:00Z"));
        assert_eq!(kolkata.slice(at("2026-05-05T10:30:00Z")), at("2026-05-05T10:30:00Z"));
    }
}
