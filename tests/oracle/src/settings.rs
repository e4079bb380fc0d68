//! The settings that change numbers, with the defaults of the product.

use crate::calendar::{Kind, Window};
use crate::{Error, Micros};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

const SECOND: Micros = 1_000_000;

/// What `events` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Every distinct event that a door accepted.
    Accepted,
    /// Only those in effect after corrections and retractions.
    Effective,
}

/// What counts as a sign of life of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// Orders that are not cancelled.
    pub orders: bool,
    /// Usage with a count of 1 or more.
    pub usage: bool,
    /// Answers to surveys.
    pub answers: bool,
    /// Tickets opened by the customer, and the customer's messages.
    pub tickets: bool,
}

impl Signs {
    /// What the definitions name.
    pub const ALL: Self = Self { orders: true, usage: true, answers: true, tickets: true };

    /// Those that a list, such as `order, usage.recorded`, has a word of.
    pub fn named(list: &str) -> Self {
        let has = |word| list.contains(word);
        Self {
            orders: has("order"),
            usage: has("usage"),
            answers: has("survey") || has("answer"),
            tickets: has("ticket") || has("customer_contact"),
        }
    }
}

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenant's time zone.
    pub zone: TimeZone,
    /// The day on which weeks begin.
    pub week_start: Weekday,
    /// The month (1 to 12) in which quarters and years begin.
    pub fiscal_year_start: i8,
    /// An account is a customer this long after an order; microseconds.
    pub silent_after: Micros,
    /// A window is final this long after its end; microseconds.
    pub allowed_lateness: Micros,
    /// An event dated further ahead of its `recordedat` is quarantined; microseconds.
    pub max_ahead: Micros,
    /// Margin of the customer lifetime value, as numerator and denominator.
    pub margin: (i128, i128),
    /// The currency to which all amounts are converted; `None` for each its own.
    pub reporting_currency: Option<String>,
    /// By how many local days `customer_acquisition_cost_lag` looks back for the cost.
    pub lag_days: i64,
    /// What counts as a sign of life.
    pub meaningful: Signs,
    /// The clock; by default the greatest tick.
    pub clock: Option<Micros>,
    /// What the metric `events` counts.
    pub events: Counted,
    /// Windows of an hour, too: for a user's catalog that adds them to the built-in metrics.
    pub hours: bool,
    /// The metrics of [`crate::filtered`], too.
    pub filtered: bool,
    /// How long after its end a window of an hour is corrected; microseconds.
    pub keep: Micros,
    /// Values of a dimension that are kept apart; later ones are `other`.
    pub values_max: usize,
}

impl Settings {
    /// From when on rows of `window` are frozen: windows of an hour some time after their end, longer ones never.
    pub fn frozen_at(&self, window: Window) -> Micros {
        match window.kind {
            Kind::Hour => window.end.saturating_add(self.keep),
            _ => Micros::MAX,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            week_start: Weekday::Monday,
            fiscal_year_start: 1,
            silent_after: 90 * 86_400 * SECOND,
            allowed_lateness: 3_600 * SECOND,
            max_ahead: 300 * SECOND,
            margin: (1, 1),
            reporting_currency: None,
            lag_days: 30,
            meaningful: Signs::ALL,
            clock: None,
            events: Counted::Accepted,
            hours: false,
            filtered: false,
            keep: 400 * 86_400 * SECOND,
            values_max: 10_000,
        }
    }
}

/// Parses `90d`, `1h`, `5m`, `30s`, `500ms`.
pub fn duration(text: &str) -> Result<Micros, Error> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "d" => 86_400 * SECOND,
        "h" => 3_600 * SECOND,
        "m" => 60 * SECOND,
        "s" => SECOND,
        "ms" => SECOND / 1_000,
        _ => return Err(Error(format!("not a duration: {text}"))),
    };
    let number: Micros = number.parse().map_err(|_| Error(format!("not a duration: {text}")))?;
    number.checked_mul(unit).ok_or_else(|| Error(format!("duration out of range: {text}")))
}

/// Parses `0.35` or `7/20` into numerator and denominator.
pub fn fraction(text: &str) -> Result<(i128, i128), Error> {
    let wrong = || Error(format!("not a fraction: {text}"));
    let integer = |s: &str| s.parse::<i128>().map_err(|_| wrong());
    if let Some((num, den)) = text.split_once('/') {
        let (num, den) = (integer(num)?, integer(den)?);
        return if den > 0 { Ok((num, den)) } else { Err(wrong()) };
    }
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let places = u32::try_from(digits.len()).map_err(|_| wrong())?;
    let den = 10i128.checked_pow(places).ok_or_else(wrong)?;
    Ok((integer(&format!("{whole}{digits}"))?, den))
}

/// Parses an RFC 3339 instant.
pub fn instant(text: &str) -> Result<Micros, Error> {
    let stamp: jiff::Timestamp = text.parse().map_err(|e| Error(format!("not a time: {text}: {e}")))?;
    Ok(stamp.as_microsecond())
}

/// Parses an English weekday in small letters.
pub fn weekday(text: &str) -> Result<Weekday, Error> {
    let days = Weekday::Monday.cycle_forward().take(7);
    let named = |day: &Weekday| format!("{day:?}").to_lowercase() == text;
    days.into_iter().find(named).ok_or_else(|| Error(format!("not a weekday: {text}")))
}

/// The time zone of an IANA name.
pub fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|e| Error(format!("unknown time zone: {name}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        assert_eq!(duration("90d").unwrap(), 90 * 86_400_000_000);
        assert_eq!(duration("500ms").unwrap(), 500_000);
        assert!(duration("90").is_err());
        assert_eq!(fraction("0.35").unwrap(), (35, 100));
        assert_eq!(fraction("7/20").unwrap(), (7, 20));
        assert_eq!(fraction("1").unwrap(), (1, 1));
        assert!(fraction("1/0").is_err());
        assert_eq!(weekday("sunday").unwrap(), Weekday::Sunday);
        assert!(weekday("sun").is_err());
        assert_eq!(instant("1970-01-01T00:00:01.000002Z").unwrap(), 1_000_002);
    }
}
