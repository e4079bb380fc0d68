//! Like with like: which window a window is compared with.
//!
//! A window that is over is compared with a whole one. An open one has lasted for some days only, so it is compared with as
//! many days of the other: their slices are windows of a day, which only sums and counts can be put together from; of all
//! else the other window is taken as it stood, if a trailing one, or whole. It does not read a store.

use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    Point, Result, Window,
    window::{Calendar, Kind},
};

/// With what a window is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compare {
    /// The window before it that does not overlap with it.
    #[default]
    Before,
    /// The window a year before it.
    Year,
    /// Nothing.
    None,
}

impl Compare {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Before, Self::Year, Self::None];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Year => "year",
            Self::None => "none",
        }
    }

    /// The comparison of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|compare| compare.name() == name)
    }
}

/// The other window.
///
/// # Errors
/// `Reject` for an instant outside the years that timestamps have.
pub fn other(window: &Window, compare: Compare, calendar: &Calendar) -> Result<Option<Window>> {
    let (Some(start_us), Some(end_us)) = (window.start_us, window.end_us) else { return Ok(None) };
    let kind = window.kind;
    let at_us = match (compare, kind) {
        (Compare::None, _) => return Ok(None),
        // The last instant before it lies in the one before.
        (Compare::Before, _) => start_us - 1,
        (Compare::Year, Kind::Hour | Kind::Week) => shifted(calendar, start_us, 52 * 7)?,
        (Compare::Year, Kind::Trailing(_)) => year_before(calendar, end_us - 1)?,
        (Compare::Year, _) => year_before(calendar, start_us)?,
    };
    let windows = calendar.windows(kind, at_us, at_us)?;
    Ok(windows.into_iter().next())
}

/// The same time of day so many days before: weekdays stay what they are.
fn shifted(calendar: &Calendar, at_us: i64, days: i64) -> Result<i64> {
    let date = calendar.date(at_us)?;
    let of_day = at_us - calendar.midnight_us(date)?;
    Ok(calendar.midnight_us(date.saturating_sub(days.days()))? + of_day)
}

/// The same date of the year before; of a leap day the day before it.
fn year_before(calendar: &Calendar, at_us: i64) -> Result<i64> {
    calendar.midnight_us(calendar.date(at_us)?.saturating_sub(1.year()))
}

/// The days of the other window that have as many days before them as those of an open window that have begun: from its
/// start to this date, not included. None for a window that is over, or of less than a day.
///
/// # Errors
/// `Reject` for an instant outside the years that timestamps have.
pub fn days_passed(now: &Window, other: &Window, clock_us: i64, calendar: &Calendar) -> Result<Option<(Date, Date)>> {
    let (Some(start), Some(end), Some(other_start), Some(other_end)) =
        (now.start_us, now.end_us, other.start_us, other.end_us)
    else {
        return Ok(None);
    };
    if clock_us >= end || clock_us < start || matches!(now.kind, Kind::Hour | Kind::Day | Kind::Trailing(_)) {
        return Ok(None);
    }
    let passed = (calendar.date(clock_us)? - calendar.date(start)?).get_days() + 1;
    let from = calendar.date(other_start)?;
    let to = from.saturating_add(i64::from(passed).days()).min(calendar.date(other_end)?);
    Ok(Some((from, to)))
}

/// The points of these days as the point of a window so far: for metrics whose windows add up.
pub fn sum_of(window: Window, days: &[Point]) -> Point {
    let value = days.iter().filter_map(|day| day.value).sum();
    Point {
        window,
        value: Some(value),
        num: None,
        den: None,
        revision_us: days.iter().filter_map(|day| day.revision_us).max(),
        is_final: days.iter().all(|day| day.is_final),
        corrected: days.iter().any(|day| day.corrected),
        first: None,
        since_us: None,
        reason: String::new(),
    }
}

/// What each part adds to the change of a ratio: `num / den` of the part now less the same before, over the whole's `den`s.
/// Effects of all parts add up to the change of the whole: each is the part's `num` over the denominator of the whole.
pub fn effect(now: Option<(f64, f64)>, before: Option<(f64, f64)>) -> Option<f64> {
    let share = |part: Option<(f64, f64)>| match part {
        None => Some(0.0),
        Some((_, 0.0)) => None,
        Some((num, whole)) => Some(num / whole),
    };
    Some(share(now)? - share(before)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, window::rfc3339};

    fn calendar(zone: &str) -> Calendar {
        Calendar::of(&Settings { time_zone: zone.to_owned(), ..Settings::default() }).unwrap()
    }

    fn at(calendar: &Calendar, kind: &str, time: &str) -> Window {
        let at = calendar.parse_us(time).unwrap();
        calendar.windows(kind.parse().unwrap(), at, at).unwrap()[0]
    }

    fn start_of_other(kind: &str, time: &str, compare: Compare) -> String {
        let calendar = calendar("Europe/Berlin");
        let other = other(&at(&calendar, kind, time), compare, &calendar).unwrap().unwrap();
        format!("{} {}", rfc3339(other.start_us.unwrap()), rfc3339(other.end_us.unwrap()))
    }

    #[test]
    fn the_window_before_does_not_overlap() {
        assert_eq!(start_of_other("1mo", "2026-03-15", Compare::Before), "2026-01-31T23:00:00Z 2026-02-28T23:00:00Z");
        assert_eq!(
            start_of_other("trailing 30d", "2026-11-25", Compare::Before),
            "2026-09-26T22:00:00Z 2026-10-26T23:00:00Z"
        );
    }

    #[test]
    fn the_year_before_has_the_same_dates_and_weeks_the_same_weekdays() {
        assert_eq!(start_of_other("1q", "2026-11-25", Compare::Year), "2025-09-30T22:00:00Z 2025-12-31T23:00:00Z");
        assert_eq!(start_of_other("1w", "2026-11-25", Compare::Year), "2025-11-23T23:00:00Z 2025-11-30T23:00:00Z");
        assert_eq!(start_of_other("1d", "2024-02-29", Compare::Year), "2023-02-27T23:00:00Z 2023-02-28T23:00:00Z");
        let calendar = calendar("UTC");
        assert_eq!(other(&Window::to_date(), Compare::Year, &calendar).unwrap(), None);
    }

    #[test]
    fn an_open_window_is_compared_with_as_many_days() {
        let calendar = calendar("Europe/Berlin");
        let now = at(&calendar, "1mo", "2026-03-15");
        let before = other(&now, Compare::Before, &calendar).unwrap().unwrap();
        let passed = |clock: &str| {
            let days = days_passed(&now, &before, calendar.parse_us(clock).unwrap(), &calendar).unwrap();
            days.map(|(from, to)| format!("{from} {to}"))
        };
        assert_eq!(passed("2026-03-15T10:00:00Z").as_deref(), Some("2026-02-01 2026-02-16"));
        assert_eq!(passed("2026-03-30T10:00:00Z").as_deref(), Some("2026-02-01 2026-03-01"), "February has no 30 days");
        assert_eq!(passed("2026-04-02T10:00:00Z"), None, "it is over");
    }

    #[test]
    fn effects_add_up_to_the_change_of_the_whole() {
        let (now, before) = ([(3.0, 40.0), (5.0, 40.0)], [(1.0, 20.0), (1.0, 20.0)]);
        let parts: f64 =
            now.into_iter().zip(before).map(|(now, before)| effect(Some(now), Some(before)).unwrap()).sum();
        assert!((parts - (8.0 / 40.0 - 2.0 / 20.0)).abs() < 1e-12);
        assert_eq!(effect(None, Some((1.0, 4.0))), Some(-0.25), "a part that is gone takes its share along");
        assert_eq!(effect(Some((1.0, 0.0)), None), None);
    }
}
