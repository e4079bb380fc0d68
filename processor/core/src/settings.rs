//! Settings that numbers depend on. Each is part of the hashes of the definitions that read it.

use jiff::tz::TimeZone;

use crate::{
    calendar::{DAY, HOUR, SECOND, Time},
    rational::Rational,
};

/// Settings of one tenant; durations in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// IANA name, kept beside the zone for hashes and messages.
    pub time_zone: String,
    /// The tenant's zone: windows and slices are local.
    pub zone: TimeZone,
    /// Contribution margin in customer lifetime value, at least 0.
    pub margin: Rational,
    /// An account without an order for this long is lost.
    pub silent_after: Time,
    /// A window is final this long after its end.
    pub allowed_lateness: Time,
    /// An event dated later than this after its `recorded_at` is quarantined.
    pub max_ahead: Time,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            time_zone: "UTC".to_owned(),
            zone: TimeZone::UTC,
            margin: Rational::integer(1),
            silent_after: 90 * DAY,
            allowed_lateness: HOUR,
            max_ahead: 300 * SECOND,
        }
    }
}
