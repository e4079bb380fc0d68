//! Settings that numbers depend on. Each is part of the hashes of the definitions that read it.

use jiff::{civil::Weekday, tz::TimeZone};

use crate::{
    calendar::{Calendar, DAY, HOUR, SECOND, Time},
    rational::Rational,
};

/// Settings of one tenant; durations in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// IANA name, kept beside the zone for hashes and messages.
    pub time_zone: String,
    /// The tenant's zone: windows and slices are local.
    pub zone: TimeZone,
    /// The day on which weeks (`1w`) begin.
    pub week_start: Weekday,
    /// The month (1..=12) in which quarters and years (`1q`, `1y`) begin.
    pub fiscal_year_start: i8,
    /// Contribution margin in customer lifetime value, at least 0.
    pub margin: Rational,
    /// The currency (ISO 4217) to which money metrics are converted; without one they are kept apart by currency.
    pub reporting_currency: Option<String>,
    /// An account without an order for this long is lost.
    pub silent_after: Time,
    /// A window is final this long after its end.
    pub allowed_lateness: Time,
    /// A window of an hour takes corrections until this long after its end; longer windows take them for ever.
    pub keep: Time,
    /// Values of a dimension that have rows of their own; what comes later is counted as `other`.
    pub dimension_values_max: usize,
    /// An event dated later than this after its `recorded_at` is quarantined.
    pub max_ahead: Time,
}

impl Settings {
    /// The tenant's calendar.
    pub fn calendar(&self) -> Calendar {
        Calendar::new(self.zone.clone(), self.week_start, self.fiscal_year_start)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            time_zone: "UTC".to_owned(),
            zone: TimeZone::UTC,
            week_start: Weekday::Monday,
            fiscal_year_start: 1,
            margin: Rational::integer(1),
            reporting_currency: None,
            silent_after: 90 * DAY,
            allowed_lateness: HOUR,
            keep: 400 * DAY,
            dimension_values_max: 10_000,
            max_ahead: 300 * SECOND,
        }
    }
}
