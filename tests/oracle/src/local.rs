//! Local days and hours of the tenant's zone.

use crate::{Micros, settings};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const HOUR: Micros = 3_600_000_000;

/// Outside these years no time of an event lies.
fn stamp(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The local date of an instant.
pub fn date(at: Micros, zone: &TimeZone) -> Date {
    zone.to_datetime(stamp(at)).date()
}

/// The number of a local day: later dates have greater ones, the next date the next.
pub fn day(at: Micros, zone: &TimeZone) -> i64 {
    number(date(at, zone))
}

fn number(date: Date) -> i64 {
    i64::from(date.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days()))
}

/// The first instant of a date.
pub fn midnight(date: Date, zone: &TimeZone) -> Option<Micros> {
    Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond())
}

/// The first instant of the local day of this number.
pub fn midnight_of(day: i64, zone: &TimeZone) -> Option<Micros> {
    midnight(Date::constant(1970, 1, 1).checked_add(day.days()).ok()?, zone)
}

/// The start of the local hour of an instant.
pub fn hour(at: Micros, zone: &TimeZone) -> Micros {
    let offset = Micros::from(zone.to_offset(stamp(at)).seconds()) * 1_000_000;
    at - (at + offset).rem_euclid(HOUR)
}

/// A date, which means its first instant, or an instant.
pub fn instant(text: &str, zone: &TimeZone) -> Option<Micros> {
    match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => midnight(date, zone),
        _ => settings::instant(text).ok(),
    }
}

/// The instant at the end of a date; of an instant that instant.
pub fn end(text: &str, zone: &TimeZone) -> Option<Micros> {
    match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => midnight(date.tomorrow().ok()?, zone),
        _ => settings::instant(text).ok(),
    }
}

/// The dates of `[from, to)`.
pub fn dates(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |date| date.tomorrow().ok()).take_while(move |date| *date < to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_are_local() {
        let berlin = settings::zone("Europe/Berlin").unwrap();
        let at = |text| settings::instant(text).unwrap();
        assert_eq!(day(at("2024-03-30T23:00:00Z"), &berlin), day(at("2024-03-30T22:59:59Z"), &berlin) + 1);
        assert_eq!(midnight_of(day(at("2024-03-31T10:00:00Z"), &berlin), &berlin), Some(at("2024-03-30T23:00:00Z")));
        assert_eq!(hour(at("2024-03-31T10:59:59Z"), &berlin), at("2024-03-31T10:00:00Z"));
        let kolkata = settings::zone("Asia/Kolkata").unwrap();
        assert_eq!(hour(at("2024-01-01T10:10:00Z"), &kolkata), at("2024-01-01T09:30:00Z"));
        assert_eq!(instant("2024-02-01", &berlin), Some(at("2024-01-31T23:00:00Z")));
        assert_eq!(end("2024-02-01", &berlin), Some(at("2024-02-01T23:00:00Z")));
        assert_eq!(instant("2024-02-01T00:00:00Z", &berlin), Some(at("2024-02-01T00:00:00Z")));
    }
}
